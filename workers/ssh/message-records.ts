/** Messages of the transport and connection layers as ExtendedLog knows them (directives reference, section 4). */
import type { CommandRecord } from '../../src/log/session-log.ts';
import {
  CHANNEL_CLOSE,
  CHANNEL_EOF,
  CHANNEL_OPEN,
  CHANNEL_REQUEST,
  EXT_INFO,
  KEXINIT,
  KEX_30,
  KEX_31,
  KEX_32,
  KEX_34,
  NEWKEYS,
  SERVICE_REQUEST,
} from './wire/message-numbers.ts';

interface LoggedMessage {
  readonly verb: string;
  readonly classes: readonly string[];
}

const KEYS = ['SEC', 'SSH'];

const MESSAGES: ReadonlyMap<number, LoggedMessage> = new Map([
  [SERVICE_REQUEST, { verb: 'SERVICE_REQUEST', classes: ['MISC', 'SSH'] }],
  [EXT_INFO, { verb: 'EXT_INFO', classes: ['INFO', 'SSH'] }],
  [KEXINIT, { verb: 'KEXINIT', classes: KEYS }],
  [NEWKEYS, { verb: 'NEWKEYS', classes: KEYS }],
  [CHANNEL_OPEN, { verb: 'CHANNEL_OPEN', classes: ['SSH'] }],
  [CHANNEL_REQUEST, { verb: 'CHANNEL_REQUEST', classes: ['SSH'] }],
  [CHANNEL_EOF, { verb: 'CHANNEL_EOF', classes: ['SSH'] }],
  [CHANNEL_CLOSE, { verb: 'CHANNEL_CLOSE', classes: ['SSH'] }],
]);

/** What 30 to 34 stand for under a key exchange method. */
function exchangeVerb(type: number, keyExchange: string): string | null {
  if (keyExchange.startsWith('rsa')) return type === KEX_31 ? 'KEXRSA_SECRET' : null;
  if (keyExchange.startsWith('diffie-hellman-group-exchange')) {
    if (type === KEX_34 || type === KEX_30) return 'DH_GEX_REQUEST';
    return type === KEX_32 ? 'DH_GEX_INIT' : null;
  }
  if (type !== KEX_30) return null;
  return keyExchange.startsWith('diffie-hellman') ? 'DH_INIT' : 'ECDH_INIT';
}

/** The record of a message; null for those no class lists. @param keyExchange - agreed on last; null: none yet */
export function recordOfMessage(type: number, keyExchange: string | null): CommandRecord | null {
  const verb = keyExchange === null ? null : exchangeVerb(type, keyExchange);
  const message = verb === null ? MESSAGES.get(type) : { verb, classes: KEYS };
  if (message === undefined) return null;
  return {
    verb: message.verb,
    argument: '',
    classes: message.classes,
    replyCode: 0,
    replyText: '',
    receivedAt: new Date(),
    milliseconds: 0,
    realPath: null,
    clientPath: null,
    renameFrom: null,
    protocol: 'ssh2',
    transfer: null,
  };
}
