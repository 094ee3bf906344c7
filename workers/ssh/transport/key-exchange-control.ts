/**
 * Key exchanges of one connection, first and later ones: KEXINIT both ways, the method's messages, NEWKEYS both ways, and
 * what strict key exchange demands (RFC 4253 sections 7 and 9; OpenSSH's PROTOCOL section 1.10).
 */
import { randomBytes } from 'node:crypto';
import type { HostKey } from '../../../crypto/ssh/host-keys.ts';
import { keyExchangeMethod, type DhGroup, type KeyExchangeMethod } from '../../../crypto/ssh/key-exchange.ts';
import type { PacketOpener, PacketSealer } from '../../../crypto/ssh/packet-protection.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import { encodeKexInit, parseKexInit, type AlgorithmLists, type ClientKexInit } from '../wire/kexinit.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import { encodeNewKeys } from '../wire/transport-messages.ts';
import { makeKeys } from './direction-keys.ts';
import { groupFor } from './group-choice.ts';
import { runKeyExchangeJob, TooManyJobs } from './key-exchange-jobs.ts';
import { KeyExchangeRun } from './key-exchange-run.ts';
import {
  agree,
  CLIENT_EXT_INFO,
  CLIENT_STRICT,
  SERVER_EXT_INFO,
  SERVER_STRICT,
  type AgreedAlgorithms,
} from './negotiation.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface KeyExchangeHost {
  readonly settings: Settings;
  readonly hostKeys: readonly HostKey[];
  /** Own lists for this client, without pseudo-algorithms. */
  readonly offer: () => AlgorithmLists;
  readonly configuredGroups: readonly DhGroup[];
  readonly serverVersion: string;
  readonly clientVersion: () => string;
  log(text: string): void;
  send(payload: Buffer): void;
  /** From the next packet sent on. */
  useSealer(sealer: PacketSealer, resetSequence: boolean): void;
}

/** Where the exchange stands for what comes in; `asked`: our KEXINIT is out, the client's is not in. */
export type ExchangePhase = 'idle' | 'asked' | 'running' | 'newkeys';

export class KeyExchangeControl {
  phase: ExchangePhase = 'idle';
  /** From our KEXINIT to our NEWKEYS nothing but key exchange may be sent. */
  frozen = false;
  strict = false;
  clientTakesExtInfo = false;
  /** H of the first exchange. */
  sessionId: Buffer | null = null;
  /** Of the exchange that ran last. */
  agreed: AgreedAlgorithms | null = null;
  hostKey: HostKey | null = null;
  readonly #host: KeyExchangeHost;
  #lists: AlgorithmLists | null = null;
  #ownKexInit: Buffer | null = null;
  #method: KeyExchangeMethod | null = null;
  #run: KeyExchangeRun | null = null;
  #dropsGuess = false;
  #opener: PacketOpener | null = null;
  #sealer: PacketSealer | null = null;
  /** The connection is over. */
  #stopped = false;

  constructor(host: KeyExchangeHost) {
    this.#host = host;
  }

  get isFirst(): boolean {
    return this.sessionId === null;
  }

  /** Our KEXINIT. */
  begin(): void {
    const lists = this.#host.offer();
    const { sftpOptions } = this.#host.settings;
    const pseudo: string[] = [];
    if (this.isFirst) {
      if (!sftpOptions.includes('NoExtensionNegotiation')) pseudo.push(SERVER_EXT_INFO);
      if (!sftpOptions.includes('NoStrictKex')) pseudo.push(SERVER_STRICT);
    }
    this.#lists = lists;
    this.#ownKexInit = encodeKexInit(
      { ...lists, keyExchanges: [...lists.keyExchanges, ...pseudo] },
      randomBytes(16),
    );
    this.frozen = true;
    this.phase = 'asked';
    this.#host.send(this.#ownKexInit);
  }

  /**
   * The client's KEXINIT. A promise where the method lets the server speak first.
   * @param sequence - of this packet
   */
  receiveKexInit(payload: Buffer, sequence: number): Promise<void> | undefined {
    const client = parseKexInit(payload);
    if (this.isFirst) this.#readPseudo(client, sequence);
    if (!this.frozen) this.begin();
    const agreed = agree(client, this.#lists!);
    const method = keyExchangeMethod(agreed.keyExchange);
    const hostKey = this.#host.hostKeys.find((key) => key.algorithms.includes(agreed.hostKey));
    if (method === null || hostKey === undefined)
      throw new Error(`agreed on what is not there: ${agreed.keyExchange}`);
    this.phase = 'running';
    this.agreed = agreed;
    this.hostKey = hostKey;
    this.#method = method;
    this.#dropsGuess = agreed.wrongGuess;
    this.#run = new KeyExchangeRun({
      method,
      hostKey,
      hostKeyAlgorithm: agreed.hostKey,
      clientVersion: this.#host.clientVersion(),
      serverVersion: this.#host.serverVersion,
      clientKexInit: Buffer.from(payload),
      serverKexInit: this.#ownKexInit!,
      chooseGroup: (request) =>
        groupFor(request, this.#host.configuredGroups, this.#host.settings, (text) => this.#host.log(text)),
      send: (reply) => this.#host.send(reply),
    });
    return method.shape === 'rsa' ? this.#bounded((run) => run.start()) : undefined;
  }

  /** A message of the method. When it resolves the parser may go on. */
  async step(payload: Buffer): Promise<void> {
    if (this.#dropsGuess) {
      this.#dropsGuess = false;
      return;
    }
    if (this.#run?.expects(payload[0]!) !== true)
      throw new ProtocolViolation('Unexpected key exchange message', {
        code: DisconnectCode.keyExchangeFailed,
      });
    const shared = await this.#bounded((run) => run.step(payload));
    if (shared === null) return;
    this.sessionId ??= shared.exchangeHash;
    const { opener, sealer } = makeKeys(this.#method!, shared, this.sessionId, this.agreed!);
    this.#opener = opener;
    this.#sealer = sealer;
    this.#run = null;
    this.phase = 'newkeys';
  }

  /** Our NEWKEYS; what is sent next goes out under the new keys. */
  sendNewKeys(): void {
    this.#host.send(encodeNewKeys());
    this.#host.useSealer(this.#sealer!, this.strict);
    this.#sealer = null;
    this.frozen = false;
  }

  /** The client's NEWKEYS: what opens the next packet. */
  receiveNewKeys(): PacketOpener {
    const opener = this.#opener!;
    this.#opener = null;
    this.phase = 'idle';
    return opener;
  }

  /** No more work is begun. */
  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#stopped = true;
    this.#opener?.close();
    this.#sealer?.close();
    this.#opener = null;
    this.#sealer = null;
  }

  #readPseudo(client: ClientKexInit, sequence: number): void {
    const { sftpOptions } = this.#host.settings;
    this.clientTakesExtInfo =
      client.keyExchanges.includes(CLIENT_EXT_INFO) && !sftpOptions.includes('NoExtensionNegotiation');
    this.strict = client.keyExchanges.includes(CLIENT_STRICT) && !sftpOptions.includes('NoStrictKex');
    if (this.strict && sequence !== 0) {
      throw new ProtocolViolation('strict KEX violation: KEXINIT was not the first message', {
        logText: "'strict KEX' violation, as KEXINIT was not the first message; disconnecting",
      });
    }
  }

  /** Strangers take turns; who has logged in does not wait for them. */
  async #bounded<T>(job: (run: KeyExchangeRun) => Promise<T>): Promise<T> {
    const run = this.#run!;
    if (!this.isFirst) return job(run);
    try {
      return await runKeyExchangeJob(
        () => job(run),
        () => !this.#stopped,
      );
    } catch (error) {
      if (!(error instanceof TooManyJobs)) throw error;
      throw new ProtocolViolation('Too many key exchanges, try again later', {
        code: DisconnectCode.tooManyConnections,
        logText: 'too many key exchanges at a time, turning client away',
        endReason: 'refused',
      });
    }
  }
}
