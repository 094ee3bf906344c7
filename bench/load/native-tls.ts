/** Blocking TLS over native sockets, by Node's own OpenSSL: one call for each record, no copy but OpenSSL's. */
import type { ByteStream, NativeSocket } from './native-socket.ts';

const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi');

const SSL_CTRL_SET_READ_AHEAD = 41;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
const SSL_SENT_AND_RECEIVED_SHUTDOWN = 3;
const SSL_ERROR_ZERO_RETURN = 6;
const PROTOCOL_NUMBERS = { '1.2': 0x0303, '1.3': 0x0304 } as const;
/** Eight full records a system call. */
const READ_BUFFER_BYTES = 8 * 16_709;
/** Every server is asked for AES-256-GCM, in both versions. */
const SUITE_1_3 = 'TLS_AES_256_GCM_SHA384';
const SUITES_1_2 = 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384';

const ssl = ffi.dlopen(null, {
  TLS_client_method: { arguments: [], return: 'pointer' },
  SSL_CTX_new: { arguments: ['pointer'], return: 'pointer' },
  SSL_CTX_ctrl: { arguments: ['pointer', 'i32', 'i64', 'pointer'], return: 'i64' },
  SSL_CTX_set_ciphersuites: { arguments: ['pointer', 'string'], return: 'i32' },
  SSL_CTX_set_cipher_list: { arguments: ['pointer', 'string'], return: 'i32' },
  SSL_CTX_set_default_read_buffer_len: { arguments: ['pointer', 'u64'], return: 'void' },
  SSL_new: { arguments: ['pointer'], return: 'pointer' },
  SSL_set_fd: { arguments: ['pointer', 'i32'], return: 'i32' },
  SSL_connect: { arguments: ['pointer'], return: 'i32' },
  SSL_read: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  SSL_write: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  SSL_get_error: { arguments: ['pointer', 'i32'], return: 'i32' },
  SSL_get1_session: { arguments: ['pointer'], return: 'pointer' },
  SSL_set_session: { arguments: ['pointer', 'pointer'], return: 'i32' },
  SSL_session_reused: { arguments: ['pointer'], return: 'i32' },
  SSL_SESSION_free: { arguments: ['pointer'], return: 'void' },
  SSL_shutdown: { arguments: ['pointer'], return: 'i32' },
  SSL_set_shutdown: { arguments: ['pointer', 'i32'], return: 'void' },
  SSL_free: { arguments: ['pointer'], return: 'void' },
  ERR_clear_error: { arguments: [], return: 'void' },
}).functions;

export type TlsVersion = keyof typeof PROTOCOL_NUMBERS;

const contexts = new Map<TlsVersion, bigint>();

/** One context for each version; it verifies nobody: the certificate is the run's own. */
function contextOf(version: TlsVersion): bigint {
  let context = contexts.get(version);
  if (context === undefined) {
    context = ssl.SSL_CTX_new(ssl.TLS_client_method());
    const number = BigInt(PROTOCOL_NUMBERS[version]);
    ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, number, 0n);
    ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, number, 0n);
    ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1n, 0n);
    ssl.SSL_CTX_set_default_read_buffer_len(context, BigInt(READ_BUFFER_BYTES));
    ssl.SSL_CTX_set_ciphersuites(context, SUITE_1_3);
    ssl.SSL_CTX_set_cipher_list(context, SUITES_1_2);
    contexts.set(version, context);
  }
  return context;
}

/** A session to resume; belongs to whoever took it. */
export class TlsSession {
  readonly pointer: bigint;

  constructor(pointer: bigint) {
    this.pointer = pointer;
  }

  free(): void {
    ssl.SSL_SESSION_free(this.pointer);
  }
}

/** TLS over a connected socket, which it owns from then on. */
export class NativeTls implements ByteStream {
  readonly #socket: NativeSocket;
  readonly #ssl: bigint;
  #open = true;

  constructor(socket: NativeSocket, version: TlsVersion, session: TlsSession | null) {
    this.#socket = socket;
    this.#ssl = ssl.SSL_new(contextOf(version));
    ssl.SSL_set_fd(this.#ssl, socket.descriptor);
    if (session !== null) ssl.SSL_set_session(this.#ssl, session.pointer);
    if (ssl.SSL_connect(this.#ssl) !== 1) {
      ssl.ERR_clear_error();
      this.close();
      throw new Error('TLS handshake failed');
    }
  }

  get reused(): boolean {
    return ssl.SSL_session_reused(this.#ssl) === 1;
  }

  /** With TLS 1.3 complete only after something was read: tickets follow the handshake. */
  session(): TlsSession {
    return new TlsSession(ssl.SSL_get1_session(this.#ssl));
  }

  read(buffer: Buffer, offset = 0): number {
    const at = ffi.getRawPointer(buffer) + BigInt(offset);
    const bytes = ssl.SSL_read(this.#ssl, at, buffer.length - offset);
    if (bytes > 0) return bytes;
    const code = ssl.SSL_get_error(this.#ssl, bytes);
    ssl.ERR_clear_error();
    if (code === SSL_ERROR_ZERO_RETURN) return 0;
    throw new Error(`TLS read failed (SSL error ${code})`);
  }

  write(bytes: Buffer): void {
    if (bytes.length === 0) return;
    // Without partial writes enabled, a blocking SSL_write takes all or fails.
    if (ssl.SSL_write(this.#ssl, ffi.getRawPointer(bytes), bytes.length) > 0) return;
    ssl.ERR_clear_error();
    throw new Error('TLS write failed');
  }

  end(): void {
    ssl.SSL_shutdown(this.#ssl);
    this.#socket.end();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    // A connection closed without its alert would make OpenSSL forget the session the next one is to resume.
    ssl.SSL_set_shutdown(this.#ssl, SSL_SENT_AND_RECEIVED_SHUTDOWN);
    ssl.SSL_free(this.#ssl);
    this.#socket.close();
  }
}
