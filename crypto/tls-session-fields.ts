/**
 * What OpenSSL's serialised session (i2d_SSL_SESSION) says of a connection and Node has no call for on the server side:
 *
 *   SSL_SESSION ::= SEQUENCE { version INTEGER, ssl_version INTEGER, cipher OCTET STRING, session_id OCTET STRING,
 *     master_key OCTET STRING, ..., [13] flags INTEGER, ..., [19] kex_group INTEGER, ... }
 *
 * The bytes come from our own library, not from a peer; what is not understood is null all the same.
 */
import type { TLSSocket } from 'node:tls';

export interface TlsSessionFields {
  /** Upper-case hexadecimal; null: none. */
  readonly sessionId: string | null;
  /** RFC 7627; TLS 1.3 always has what it brings, and never sets the flag. */
  readonly extendedMasterSecret: boolean;
  /** Group of the key exchange by its IANA number; null: none (RSA key transport). */
  readonly group: number | null;
}

const SESSION_ID_INDEX = 3;
const TAG_FLAGS = 0xa0 | 13;
const TAG_KEX_GROUP = 0xa0 | 19;
const SSL_SESS_FLAG_EXTMS = 0x1;
const SEQUENCE = 0x30;

/** Fields of an established connection; null where there is no session. */
export function tlsSessionFields(stream: TLSSocket): TlsSessionFields | null {
  const session = stream.getSession();
  return session === undefined ? null : parseTlsSession(session);
}

interface Element {
  readonly tag: number;
  readonly value: Buffer;
}

/** Null for bytes that are not a session. */
export function parseTlsSession(der: Buffer): TlsSessionFields | null {
  const [outer] = elements(der) ?? [];
  const fields = outer?.tag === SEQUENCE ? elements(outer.value) : null;
  if (fields === null) return null;
  const integer = (tag: number): number | null => {
    const wrapped = fields.find((field) => field.tag === tag);
    const inner = wrapped === undefined ? null : elements(wrapped.value);
    const bytes = inner?.[0]?.value;
    return bytes === undefined || bytes.length === 0 || bytes.length > 6
      ? null
      : bytes.readUIntBE(0, bytes.length);
  };
  const id = fields[SESSION_ID_INDEX]?.value.toString('hex').toUpperCase() ?? '';
  const group = integer(TAG_KEX_GROUP);
  return {
    sessionId: id === '' ? null : id,
    extendedMasterSecret: ((integer(TAG_FLAGS) ?? 0) & SSL_SESS_FLAG_EXTMS) !== 0,
    group: group === 0 ? null : group,
  };
}

/** The DER elements one behind the other; null when a length does not fit. */
function elements(der: Buffer): Element[] | null {
  const found: Element[] = [];
  let at = 0;
  while (at < der.length) {
    const tag = der[at];
    const first = der[at + 1];
    if (tag === undefined || first === undefined || first > 0x84) return null;
    const lengthBytes = first > 0x80 ? first - 0x80 : 0;
    const start = at + 2 + lengthBytes;
    if (start > der.length) return null;
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
    if (start + length > der.length) return null;
    found.push({ tag, value: der.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}
