/**
 * Which messages a client may send in which state. Everything else ends the connection: servers that looked at messages
 * before their time let clients in without a password (CVE-2018-10933, CVE-2025-32433).
 */
import {
  CHANNEL_CLOSE,
  CHANNEL_DATA,
  CHANNEL_EOF,
  CHANNEL_EXTENDED_DATA,
  CHANNEL_FAILURE,
  CHANNEL_OPEN,
  CHANNEL_REQUEST,
  CHANNEL_SUCCESS,
  CHANNEL_WINDOW_ADJUST,
  DEBUG,
  DISCONNECT,
  EXT_INFO,
  GLOBAL_REQUEST,
  IGNORE,
  KEXINIT,
  KEX_30,
  KEX_LAST,
  NEWKEYS,
  PING,
  REQUEST_FAILURE,
  REQUEST_SUCCESS,
  SERVICE_REQUEST,
  UNIMPLEMENTED,
  USERAUTH_INFO_RESPONSE,
  USERAUTH_LAST,
  USERAUTH_REQUEST,
} from '../wire/message-numbers.ts';

/** `rekey-...`: after login, from the client's KEXINIT to its NEWKEYS. */
export type InboundState =
  'kexinit' | 'kex' | 'newkeys' | 'service' | 'userauth' | 'open' | 'rekey-kex' | 'rekey-newkeys';

/** ignore: nothing happens. unimplemented: a number nobody assigned, answered with UNIMPLEMENTED. */
export type Verdict = 'accept' | 'ignore' | 'unimplemented' | 'refuse';

const GENERIC: readonly number[] = [DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG];
const KEX_METHOD = range(KEX_30, KEX_LAST);
const CONNECTION: readonly number[] = [
  GLOBAL_REQUEST,
  REQUEST_SUCCESS,
  REQUEST_FAILURE,
  CHANNEL_OPEN,
  CHANNEL_WINDOW_ADJUST,
  CHANNEL_DATA,
  CHANNEL_EXTENDED_DATA,
  CHANNEL_EOF,
  CHANNEL_CLOSE,
  CHANNEL_REQUEST,
  CHANNEL_SUCCESS,
  CHANNEL_FAILURE,
];

interface Row {
  readonly accepts: readonly number[];
  readonly ignores?: readonly number[];
}

const ROWS: Readonly<Record<InboundState, Row>> = {
  kexinit: { accepts: [...GENERIC, KEXINIT] },
  kex: { accepts: [...GENERIC, ...KEX_METHOD] },
  newkeys: { accepts: [...GENERIC, NEWKEYS] },
  // EXT_INFO only as the first packet under the first keys; the transport holds that.
  service: { accepts: [...GENERIC, SERVICE_REQUEST, EXT_INFO, PING] },
  userauth: { accepts: [...GENERIC, USERAUTH_REQUEST, USERAUTH_INFO_RESPONSE, PING] },
  open: {
    accepts: [...GENERIC, KEXINIT, PING, ...CONNECTION],
    // RFC 4252, section 5.1: requests behind the one that succeeded.
    ignores: [USERAUTH_REQUEST],
  },
  // A client must not send data behind its KEXINIT (RFC 4253, section 7.1), but asyncssh 2.10 does, and OpenSSH takes it:
  // those bytes are under the old keys, and answers to them are held back and bounded as ever.
  'rekey-kex': { accepts: [...GENERIC, ...KEX_METHOD, ...CONNECTION] },
  'rekey-newkeys': { accepts: [...GENERIC, NEWKEYS, ...CONNECTION] },
};

/** While the first keys are made, strict key exchange wants nothing but what moves it on. */
const STRICT_ONLY: Readonly<Partial<Record<InboundState, readonly number[]>>> = {
  kexinit: [DISCONNECT, KEXINIT],
  kex: [DISCONNECT, ...KEX_METHOD],
  newkeys: [DISCONNECT, NEWKEYS],
};

const FIRST_EXCHANGE: ReadonlySet<InboundState> = new Set(['kexinit', 'kex', 'newkeys']);

/** Numbers some protocol of SSH has given a meaning; in the wrong state they are no mere novelty. */
const LAST_ASSIGNED_RANGE = 127;
const FIRST_CLIENT_RANGE_GAP = [8, 19] as const;

const tables = new Map<string, readonly Verdict[]>();

/** Verdicts by message number. @param strict - strict key exchange is in force */
export function verdictTable(state: InboundState, strict: boolean): readonly Verdict[] {
  const key = `${state} ${String(strict)}`;
  let table = tables.get(key);
  if (table === undefined) {
    table = Array.from({ length: 256 }, (_, type) => verdictOn(state, type, strict));
    tables.set(key, table);
  }
  return table;
}

function verdictOn(state: InboundState, type: number, strict: boolean): Verdict {
  const only = strict ? STRICT_ONLY[state] : undefined;
  if (only !== undefined) return only.includes(type) ? 'accept' : 'refuse';
  const { accepts, ignores } = ROWS[state];
  if (accepts.includes(type)) return 'accept';
  if (ignores?.includes(type) === true) return 'ignore';
  return isUnassigned(type) && !FIRST_EXCHANGE.has(state) ? 'unimplemented' : 'refuse';
}

/** RFC 4253, section 11.4. */
function isUnassigned(type: number): boolean {
  const [first, last] = FIRST_CLIENT_RANGE_GAP;
  if (type >= first && type <= last) return true;
  if (type > USERAUTH_LAST && type < CHANNEL_OPEN) return type > REQUEST_FAILURE;
  if (type > CHANNEL_FAILURE && type <= LAST_ASSIGNED_RANGE) return true;
  return type > LAST_ASSIGNED_RANGE && type !== PING && type !== PING + 1;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
