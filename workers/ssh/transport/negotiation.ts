/** What two KEXINIT messages agree on (RFC 4253, section 7.1): the first of the client's names the server has too. */
import { cipherSpec } from '../../../crypto/ssh/packet-protection.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import type { AlgorithmLists, ClientKexInit } from '../wire/kexinit.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface AgreedAlgorithms {
  readonly keyExchange: string;
  readonly hostKey: string;
  readonly cipherIn: string;
  readonly cipherOut: string;
  /** `implicit` where the cipher authenticates by itself. */
  readonly macIn: string;
  readonly macOut: string;
  readonly compressionIn: string;
  readonly compressionOut: string;
  /** The client's guessed packet is to be dropped. */
  readonly wrongGuess: boolean;
}

export const IMPLICIT_MAC = 'implicit';

/** Of a client's list in the log: one may have 64 KiB. */
const MAX_LOGGED = 2_048;

/** Pseudo-algorithms (RFC 8308; OpenSSH's PROTOCOL, section 1.10): never agreed on, only looked for. */
export const CLIENT_EXT_INFO = 'ext-info-c';
export const SERVER_EXT_INFO = 'ext-info-s';
export const CLIENT_STRICT = 'kex-strict-c-v00@openssh.com';
export const SERVER_STRICT = 'kex-strict-s-v00@openssh.com';
const PSEUDO = new Set([CLIENT_EXT_INFO, SERVER_EXT_INFO, CLIENT_STRICT, SERVER_STRICT]);

/** @param own - without pseudo-algorithms. Throws ProtocolViolation with code 3 where nothing is shared */
export function agree(client: ClientKexInit, own: AlgorithmLists): AgreedAlgorithms {
  const keyExchange = choose('key exchange algorithm', client.keyExchanges, own.keyExchanges);
  const hostKey = choose('host key algorithm', client.hostKeys, own.hostKeys);
  const cipherIn = choose('client-to-server cipher algorithm', client.ciphersIn, own.ciphersIn);
  const cipherOut = choose('server-to-client cipher algorithm', client.ciphersOut, own.ciphersOut);
  const mac = (
    direction: string,
    cipher: string,
    theirs: readonly string[],
    ours: readonly string[],
  ): string =>
    cipherSpec(cipher)?.kind === 'aead' ? IMPLICIT_MAC : choose(`${direction} MAC algorithm`, theirs, ours);
  return {
    keyExchange,
    hostKey,
    cipherIn,
    cipherOut,
    macIn: mac('client-to-server', cipherIn, client.macsIn, own.macsIn),
    macOut: mac('server-to-client', cipherOut, client.macsOut, own.macsOut),
    compressionIn: choose(
      'client-to-server compression algorithm',
      client.compressionsIn,
      own.compressionsIn,
    ),
    compressionOut: choose(
      'server-to-client compression algorithm',
      client.compressionsOut,
      own.compressionsOut,
    ),
    wrongGuess:
      client.guessFollows &&
      (client.keyExchanges[0] !== own.keyExchanges[0] || client.hostKeys[0] !== own.hostKeys[0]),
  };
}

function choose(what: string, client: readonly string[], own: readonly string[]): string {
  const found = client.find((name) => own.includes(name) && !PSEUDO.has(name));
  if (found !== undefined) return found;
  throw new ProtocolViolation(`no shared ${what} found`, {
    code: DisconnectCode.keyExchangeFailed,
    logText: `no shared ${what} found (client sent '${client.join(',').slice(0, MAX_LOGGED)}', server sent '${own.join(',')}')`,
  });
}
