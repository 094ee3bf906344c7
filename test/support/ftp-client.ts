/**
 * Raw FTP client for tests: says exactly what it is told, in clear or TLS, and waits for events with deadlines.
 * It does not hide the protocol: every step of a dialogue can be taken by itself.
 */
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { pathTextBytes } from '../../src/util/path-text.ts';
import { ReplyReader, type ClientReply } from './ftp-reply-reader.ts';

export type { ClientReply } from './ftp-reply-reader.ts';

/** How TLS is spoken; `session` offers a session for resumption, certificates are not verified unless asked. */
export type ClientTlsOptions = Omit<ConnectionOptions, 'socket' | 'host' | 'port' | 'path'>;

export interface FtpClientOptions {
  readonly port: number;
  readonly host?: string;
  /** Source address, for tests about peer addresses. */
  readonly localAddress?: string;
  /** Deadline of every single wait; 5,000 by default. */
  readonly timeoutMs?: number;
  /** Implicit FTPS: TLS before the greeting. */
  readonly implicitTls?: ClientTlsOptions;
  /** False: `connect` does not wait for the greeting. */
  readonly readGreeting?: boolean;
}

export type DataMode = 'pasv' | 'epsv' | 'port' | 'eprt';

/** TLS on data connections: `resume` (the newest session of the control connection), `fresh`, or an explicit session. */
export type DataTls = { readonly session: 'resume' | 'fresh' | Buffer; readonly options?: ClientTlsOptions };

export interface TransferOptions {
  readonly mode?: DataMode;
  readonly tls?: DataTls;
}

export interface TransferOutcome {
  /** 150, or the refusal when no data connection was used. */
  readonly opening: ClientReply;
  /** The last reply; equals `opening` when the command was refused. */
  readonly final: ClientReply;
  readonly body: Buffer;
}

/** A data connection on its way: `connect` gives the socket once both sides know each other. */
export interface PreparedData {
  readonly reply: ClientReply;
  /** Port the server (passive) or this client (active) listens on. */
  readonly port: number;
  connect(tls?: DataTls): Promise<Socket>;
  /** Gives the preparation up. */
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 5_000;

export class FtpClient {
  readonly host: string;
  readonly timeoutMs: number;
  /** TCP socket below whatever runs over it. */
  readonly tcp: Socket;
  /** Commands and replies travel here: the TCP socket, or TLS over it. */
  stream: Socket;
  /** First reply; null until it was read. */
  greeting: ClientReply | null = null;
  /** TLS sessions the server issued on the control connection, oldest first. */
  readonly sessions: Buffer[] = [];
  /** Resolves when the server closed or reset the control connection. */
  readonly closed: Promise<void>;
  #reader = new ReplyReader();
  #localAddress: string | undefined;

  private constructor(tcp: Socket, options: FtpClientOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.tcp = tcp;
    this.stream = tcp;
    this.#localAddress = options.localAddress;
    this.closed = new Promise((resolve) => tcp.once('close', () => resolve()));
    tcp.setNoDelay(true);
    tcp.on('error', (error) => this.#reader.fail(error));
    tcp.once('close', () => {
      // Under TLS the last records may still be on their way up: there the TLS stream's own close counts.
      if (this.stream === tcp) this.#reader.fail(new Error('control connection closed'));
    });
  }

  static async connect(options: FtpClientOptions): Promise<FtpClient> {
    const host = options.host ?? '127.0.0.1';
    const source = options.localAddress === undefined ? {} : { localAddress: options.localAddress };
    const tcp = connectTcp({ host, port: options.port, ...source });
    const client = new FtpClient(tcp, options);
    await client.#within(once(tcp, 'connect'), 'connecting');
    if (options.implicitTls === undefined) client.#listen(tcp);
    else await client.startTls(options.implicitTls);
    if (options.readGreeting !== false) client.greeting = await client.readReply();
    return client;
  }

  /** Sends bytes as they are; a lone surrogate in text is one byte, as in the server's names. */
  sendRaw(bytes: string | Uint8Array): void {
    this.stream.write(typeof bytes === 'string' ? pathTextBytes(bytes) : bytes);
  }

  /** Sends command lines in one write (pipelining), each ended by CRLF. */
  send(...lines: string[]): void {
    this.sendRaw(lines.map((line) => `${line}\r\n`).join(''));
  }

  /** The next reply in order; fails after the deadline or when the connection closes first. */
  readReply(timeoutMs: number = this.timeoutMs): Promise<ClientReply> {
    return this.#reader.next(timeoutMs);
  }

  /** Replies received and not read. */
  get pendingReplies(): number {
    return this.#reader.pending;
  }

  /** One command, one reply. */
  async command(line: string): Promise<ClientReply> {
    this.send(line);
    return this.readReply();
  }

  /** Runs the commands one after another and gives their replies. */
  async dialogue(...lines: string[]): Promise<ClientReply[]> {
    const replies: ClientReply[] = [];
    for (const line of lines) replies.push(await this.command(line));
    return replies;
  }

  /** USER and, where the server wants one, PASS; gives the last reply. */
  async login(user: string, password: string): Promise<ClientReply> {
    const answer = await this.command(`USER ${user}`);
    return answer.code === 331 ? this.command(`PASS ${password}`) : answer;
  }

  /** AUTH TLS and the handshake; gives the 234, or the refusal (then nothing was started). */
  async authTls(options: ClientTlsOptions = {}, mechanism = 'TLS'): Promise<ClientReply> {
    const answer = await this.command(`AUTH ${mechanism}`);
    if (answer.code === 234) await this.startTls(options);
    return answer;
  }

  /** Speaks TLS on the control connection from here on; rejects when the handshake fails. */
  async startTls(options: ClientTlsOptions = {}): Promise<TLSSocket> {
    this.tcp.removeAllListeners('data');
    const secured = connectTls({ rejectUnauthorized: false, ...options, socket: this.tcp });
    secured.on('session', (session: Buffer) => this.sessions.push(session));
    secured.on('error', (error) => this.#reader.fail(error));
    secured.once('close', () => this.#reader.fail(new Error('control connection closed')));
    await this.#within(once(secured, 'secureConnect'), 'TLS handshake on the control connection');
    this.stream = secured;
    this.#listen(secured);
    return secured;
  }

  /** AUTH TLS, login, PBSZ 0, PROT P; throws when one of them is refused. */
  async loginTls(user: string, password: string, options: ClientTlsOptions = {}): Promise<void> {
    const replies = [await this.authTls(options), await this.login(user, password)];
    replies.push(...(await this.dialogue('PBSZ 0', 'PROT P')));
    const refusal = replies.find((reply) => reply.code >= 400);
    if (refusal !== undefined) throw new Error(`login over TLS refused: ${refusal.lines.join(' | ')}`);
  }

  /** PASV, EPSV, PORT or EPRT; throws when the server refuses (send the command yourself to test refusals). */
  prepareData(mode: DataMode): Promise<PreparedData> {
    return mode === 'pasv' || mode === 'epsv' ? this.#preparePassive(mode) : this.#prepareActive(mode);
  }

  /** RETR, LIST, NLST, MLSD: everything the server sends until it closes the data connection. */
  async download(line: string, options: TransferOptions = {}): Promise<TransferOutcome> {
    const data = await this.prepareData(options.mode ?? 'epsv');
    const connecting = this.#connectData(data, options, line);
    const opening = await this.readReply();
    if (opening.code >= 400) return this.#refused(data, connecting, opening);
    const received = connecting.then((socket) => collect(socket, this.timeoutMs));
    const [body, final] = await settleBoth(received, this.readReply());
    return { opening, final, body: body ?? Buffer.alloc(0) };
  }

  /** STOR, APPE, STOU: sends `body`, closes, reads the final reply. */
  async upload(
    line: string,
    body: string | Uint8Array,
    options: TransferOptions = {},
  ): Promise<TransferOutcome> {
    const data = await this.prepareData(options.mode ?? 'epsv');
    const connecting = this.#connectData(data, options, line);
    const opening = await this.readReply();
    if (opening.code >= 400) return this.#refused(data, connecting, opening);
    const sent = connecting.then((socket) => deliver(socket, body, this.timeoutMs));
    const [, final] = await settleBoth(sent, this.readReply());
    return { opening, final, body: Buffer.from(body) };
  }

  /** QUIT, and waits until the server has closed. */
  async quit(): Promise<ClientReply> {
    const answer = await this.command('QUIT');
    this.stream.end();
    await this.#within(this.closed, 'closing after QUIT');
    return answer;
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.stream.destroy();
    this.tcp.destroy();
  }

  /** Waits until the server closes the control connection. */
  waitClosed(timeoutMs: number = this.timeoutMs): Promise<void> {
    return this.#within(this.closed, 'waiting for the server to close', timeoutMs);
  }

  async #preparePassive(mode: 'pasv' | 'epsv'): Promise<PreparedData> {
    const reply = await this.command(mode.toUpperCase());
    const address = mode === 'pasv' ? parsePasv(reply.text) : parseEpsv(reply.text, this.host);
    if (address === null) throw new Error(`${mode.toUpperCase()} refused: ${reply.lines.join(' | ')}`);
    const source = this.#localAddress === undefined ? {} : { localAddress: this.#localAddress };
    let socket: Socket | null = null;
    return {
      reply,
      port: address.port,
      connect: async (tls) => {
        socket = connectTcp({ ...address, ...source });
        socket.on('error', noteError);
        await this.#within(once(socket, 'connect'), 'connecting the data connection');
        return tls === undefined ? socket : this.#secureData(socket, tls);
      },
      // The error ends the wait for a connection that is not wanted any more.
      close: () => socket?.destroy(new Error('the data connection was given up')),
    };
  }

  async #prepareActive(mode: 'port' | 'eprt'): Promise<PreparedData> {
    const server = createServer({ pauseOnConnect: true });
    const address = this.tcp.localAddress ?? '127.0.0.1';
    const givenUp = new AbortController();
    const accepted = once(server, 'connection', { signal: givenUp.signal }).then(
      ([socket]) => socket as Socket,
    );
    accepted.catch(noteError);
    server.listen(0, address);
    await this.#within(once(server, 'listening'), 'listening for the data connection');
    const port = (server.address() as AddressInfo).port;
    const reply = await this.command(mode === 'port' ? portLine(address, port) : eprtLine(address, port));
    if (reply.code !== 200) {
      server.close();
      throw new Error(`${mode.toUpperCase()} refused: ${reply.lines.join(' | ')}`);
    }
    return {
      reply,
      port,
      connect: async (tls) => {
        const socket = await this.#within(accepted, 'accepting the data connection');
        server.close();
        socket.on('error', noteError);
        if (tls !== undefined) return this.#secureData(socket, tls);
        return socket;
      },
      close: () => {
        givenUp.abort();
        closeServer(server);
      },
    };
  }

  /** Sends the command; passive clients connect first, as the server accepts only after it. */
  #connectData(data: PreparedData, options: TransferOptions, line: string): Promise<Socket> {
    const connecting = data.connect(options.tls);
    connecting.catch(noteError);
    this.send(line);
    return connecting;
  }

  async #refused(
    data: PreparedData,
    connecting: Promise<Socket>,
    opening: ClientReply,
  ): Promise<TransferOutcome> {
    data.close();
    connecting.then((socket) => socket.destroy()).catch(noteError);
    return { opening, final: opening, body: Buffer.alloc(0) };
  }

  async #secureData(socket: Socket, tls: DataTls): Promise<TLSSocket> {
    const session = tls.session === 'resume' ? this.sessions.at(-1) : tls.session;
    const offered = session === undefined || session === 'fresh' ? {} : { session: session as Buffer };
    const secured = connectTls({ rejectUnauthorized: false, ...offered, ...tls.options, socket });
    secured.on('error', noteError);
    await this.#within(once(secured, 'secureConnect'), 'TLS handshake on the data connection');
    return secured;
  }

  #listen(stream: Socket): void {
    stream.on('data', (chunk: Buffer) => this.#reader.push(chunk));
  }

  async #within<T>(work: Promise<T>, what: string, timeoutMs: number = this.timeoutMs): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: nothing within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Errors of data sockets show in the awaited step; this keeps Node from raising them a second time. */
const dataErrors: unknown[] = [];
function noteError(error: unknown): void {
  dataErrors.push(error);
  if (dataErrors.length > 100) dataErrors.shift();
}

/** Reads a data connection to its end. */
export async function collect(socket: Socket, timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('data connection stalled')));
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Writes everything, half-closes, and waits until the other side closed too. */
export async function deliver(
  socket: Socket,
  body: string | Uint8Array,
  timeoutMs: number = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('data connection stalled')));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.resume();
  socket.end(body);
  await closed;
}

/** Waits for both; a data connection that breaks is the reply's story to tell, so only the reply's error is thrown. */
async function settleBoth<T>(
  data: Promise<T>,
  reply: Promise<ClientReply>,
): Promise<[T | null, ClientReply]> {
  const [dataResult, replyResult] = await Promise.allSettled([data, reply]);
  if (replyResult.status === 'rejected') throw replyResult.reason as Error;
  return [dataResult.status === 'fulfilled' ? dataResult.value : null, replyResult.value];
}

function closeServer(server: Server): void {
  server.close();
}

/** `227 ... (h1,h2,h3,h4,p1,p2)`. */
export function parsePasv(text: string): { host: string; port: number } | null {
  const numbers = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/.exec(text)?.slice(1).map(Number);
  if (numbers === undefined) return null;
  return { host: numbers.slice(0, 4).join('.'), port: (numbers[4] ?? 0) * 256 + (numbers[5] ?? 0) };
}

/** `229 ... (|||port|)`; the host is the control connection's. */
export function parseEpsv(text: string, host: string): { host: string; port: number } | null {
  const port = /\(\|\|\|(\d+)\|\)/.exec(text)?.[1];
  return port === undefined ? null : { host, port: Number(port) };
}

/** PORT argument for an IPv4 address. */
export function portLine(address: string, port: number): string {
  const host = address
    .replace(/^::ffff:/i, '')
    .split('.')
    .join(',');
  return `PORT ${host},${port >> 8},${port & 255}`;
}

/** EPRT argument (RFC 2428). */
export function eprtLine(address: string, port: number): string {
  const plain = address.replace(/^::ffff:/i, '');
  return `EPRT |${plain.includes(':') ? 2 : 1}|${plain}|${port}|`;
}
