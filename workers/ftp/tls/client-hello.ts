/**
 * The ClientHello, read before TLS starts (RFC 8446, section 4.1.2; RFC 5246, section 7.4.1.2; RFC 6066 for SNI,
 * RFC 7301 for ALPN, RFC 5077 for tickets). Pure: bytes in, value out.
 *
 *   TLSPlaintext  { type(1)=22, version(2), length(2), fragment }
 *   Handshake     { type(1)=1, length(3), body }
 *   ClientHello   { version(2), random(32), session_id<0..32>, cipher_suites<2..2^16-2>,
 *                   compression_methods<1..2^8-1>, extensions<0..2^16-1> }
 */

export interface ClientHello {
  /** Highest version the client offers: 0x0303 TLS 1.2, 0x0304 TLS 1.3. */
  readonly highestVersion: number;
  /** Host name of the server_name extension as sent, or null. */
  readonly serverName: string | null;
  readonly alpnProtocols: readonly string[];
  readonly sessionIdLength: number;
  /** By their IANA numbers, in the client's order; at most MAX_NUMBERS, as of the two lists below. */
  readonly cipherSuites: readonly number[];
  /** supported_groups; empty where the extension is missing. */
  readonly groups: readonly number[];
  /** session_ticket extension: absent, empty (asks for one), or filled (offers one). */
  readonly ticket: 'absent' | 'empty' | 'present';
  readonly offersPreSharedKey: boolean;
  /** status_request: the client wants a stapled OCSP response (RFC 6066, section 8). */
  readonly wantsOcspResponse: boolean;
  /** signature_algorithms, in the client's order. */
  readonly signatureSchemes: readonly number[];
  /** RFC 7627; means something in TLS 1.2 and below. */
  readonly extendedMasterSecret: boolean;
}

export type ClientHelloResult =
  /** At least so many bytes more: nobody has to look again at every byte of a hello that comes in drops. */
  | { readonly kind: 'incomplete'; readonly missing: number }
  /** Other than a TLS handshake record, or one that cannot be read: OpenSSL is to say what is wrong with it. */
  | { readonly kind: 'not-a-hello' }
  | { readonly kind: 'hello'; readonly hello: ClientHello };

export const TLS_1_2 = 0x0303;
export const TLS_1_3 = 0x0304;

/** Longest prefix a peer may make us keep before its hello must be complete. */
export const MAX_HELLO_BYTES = 64 * 1024;

/** No client knows as many. */
const MAX_NUMBERS = 512;

const RECORD_HANDSHAKE = 22;
const RECORD_HEADER = 5;
const MAX_RECORD = 16_384;
const HANDSHAKE_HEADER = 4;
const CLIENT_HELLO = 1;
const EXTENSION = {
  serverName: 0,
  statusRequest: 5,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  alpn: 16,
  extendedMasterSecret: 23,
  sessionTicket: 35,
  preSharedKey: 41,
  supportedVersions: 43,
} as const;

/** Reads a ClientHello from everything received so far, which may be spread over several records. */
export function parseClientHello(received: Buffer): ClientHelloResult {
  const fragments: Buffer[] = [];
  let collected = 0;
  let needed = HANDSHAKE_HEADER;
  let at = 0;
  while (collected < needed) {
    const header = recordAt(received, at);
    if (header !== 'incomplete' && header === 'bad') return { kind: 'not-a-hello' };
    if (header === 'incomplete') return { kind: 'incomplete', missing: needed - collected };
    const end = at + RECORD_HEADER + header.length;
    const fragment = received.subarray(at + RECORD_HEADER, Math.min(end, received.length));
    fragments.push(fragment);
    collected += fragment.length;
    if (needed === HANDSHAKE_HEADER && collected >= HANDSHAKE_HEADER) {
      const start = Buffer.concat(fragments);
      if (start[0] !== CLIENT_HELLO) return { kind: 'not-a-hello' };
      needed = HANDSHAKE_HEADER + start.readUIntBE(1, 3);
      if (needed > MAX_HELLO_BYTES) return { kind: 'not-a-hello' };
    }
    if (collected < needed && end > received.length)
      return { kind: 'incomplete', missing: needed - collected };
    at = end;
  }
  const hello = parseBody(Buffer.concat(fragments).subarray(HANDSHAKE_HEADER, needed));
  return hello === null ? { kind: 'not-a-hello' } : { kind: 'hello', hello };
}

function recordAt(received: Buffer, at: number): { length: number } | 'incomplete' | 'bad' {
  const type = received[at];
  const major = received[at + 1];
  if (type !== undefined && type !== RECORD_HANDSHAKE) return 'bad';
  if (major !== undefined && major !== 3) return 'bad';
  if (received.length < at + RECORD_HEADER) return 'incomplete';
  const length = received.readUInt16BE(at + 3);
  return length === 0 || length > MAX_RECORD ? 'bad' : { length };
}

/** A cursor that turns every overrun into one `null` at the end. */
class Cursor {
  #at = 0;
  #valid = true;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get valid(): boolean {
    return this.#valid;
  }

  number(size: 1 | 2): number {
    const bytes = this.take(size);
    return bytes.length === size ? bytes.readUIntBE(0, size) : 0;
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (!this.#valid || end > this.#bytes.length) {
      this.#valid = false;
      this.#at = this.#bytes.length;
      return Buffer.alloc(0);
    }
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  vector(size: 1 | 2): Buffer {
    return this.take(this.number(size));
  }
}

function parseBody(body: Buffer): ClientHello | null {
  const cursor = new Cursor(body);
  const legacyVersion = cursor.number(2);
  cursor.take(32);
  const sessionId = cursor.vector(1);
  const cipherSuites = cursor.vector(2);
  cursor.vector(1);
  const extensions = new Map<number, Buffer>();
  if (!cursor.done) {
    const list = new Cursor(cursor.vector(2));
    while (!list.done) {
      const type = list.number(2);
      const value = list.vector(2);
      if (!extensions.has(type)) extensions.set(type, value);
    }
    if (!list.valid) return null;
  }
  if (!cursor.valid || sessionId.length > 32) return null;
  const ticket = extensions.get(EXTENSION.sessionTicket);
  return {
    highestVersion: highestVersion(legacyVersion, extensions.get(EXTENSION.supportedVersions)),
    serverName: serverName(extensions.get(EXTENSION.serverName)),
    alpnProtocols: alpnProtocols(extensions.get(EXTENSION.alpn)),
    sessionIdLength: sessionId.length,
    cipherSuites: numbers(cipherSuites),
    groups: listed(extensions.get(EXTENSION.supportedGroups)),
    ticket: ticket === undefined ? 'absent' : ticket.length === 0 ? 'empty' : 'present',
    offersPreSharedKey: extensions.has(EXTENSION.preSharedKey),
    wantsOcspResponse: extensions.has(EXTENSION.statusRequest),
    signatureSchemes: listed(extensions.get(EXTENSION.signatureAlgorithms)),
    extendedMasterSecret: extensions.has(EXTENSION.extendedMasterSecret),
  };
}

function highestVersion(legacyVersion: number, supported: Buffer | undefined): number {
  if (supported === undefined) return legacyVersion;
  const versions = new Cursor(supported).vector(1);
  let highest = 0;
  for (let at = 0; at + 1 < versions.length; at += 2) {
    const version = versions.readUInt16BE(at);
    // GREASE values (RFC 8701) lie far above every real version.
    if (version <= TLS_1_3 && version > highest) highest = version;
  }
  return highest === 0 ? legacyVersion : highest;
}

/** ServerNameList of one host_name entry (RFC 6066, section 3). */
function serverName(extension: Buffer | undefined): string | null {
  if (extension === undefined) return null;
  const entries = new Cursor(new Cursor(extension).vector(2));
  while (!entries.done) {
    const type = entries.number(1);
    const name = entries.vector(2);
    if (entries.valid && type === 0 && name.length > 0) return name.toString('latin1');
  }
  return null;
}

function alpnProtocols(extension: Buffer | undefined): string[] {
  if (extension === undefined) return [];
  const names = new Cursor(new Cursor(extension).vector(2));
  const protocols: string[] = [];
  while (!names.done) {
    const name = names.vector(1);
    if (names.valid) protocols.push(name.toString('latin1'));
  }
  return protocols;
}

/** An extension that is one list of 16-bit numbers. */
function listed(extension: Buffer | undefined): number[] {
  return extension === undefined ? [] : numbers(new Cursor(extension).vector(2));
}

function numbers(list: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 1 < list.length && found.length < MAX_NUMBERS; at += 2)
    found.push(list.readUInt16BE(at));
  return found;
}

/** Whether the client offered to resume a session. In TLS 1.3 a session id alone means middlebox compatibility. */
export function offersSession(hello: ClientHello): boolean {
  if (hello.offersPreSharedKey || hello.ticket === 'present') return true;
  return hello.highestVersion < TLS_1_3 && hello.sessionIdLength > 0;
}

const ALERTS = { handshake_failure: 40, access_denied: 49, unrecognized_name: 112 } as const;

/** Fatal alert record (RFC 8446, section 6), as sent before any keys exist. */
export function fatalAlert(description: keyof typeof ALERTS): Buffer {
  return Buffer.from([21, 3, 1, 0, 2, 2, ALERTS[description]]);
}
