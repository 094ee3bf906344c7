/**
 * The transport layer of one connection (RFC 4253): version lines, packets in their states, key exchanges, service
 * request. What is above it sees whole messages; what is below it sees bytes.
 */
import type { Settings } from '../../../src/config/server-config.ts';
import { ByteError } from '../../../src/util/byte-reader.ts';
import {
  CHANNEL_DATA,
  DEBUG,
  DISCONNECT,
  DisconnectCode,
  EXT_INFO,
  IGNORE,
  KEXINIT,
  KEX_LAST,
  NEWKEYS,
  PING,
  SERVICE_REQUEST,
  UNIMPLEMENTED,
  USERAUTH_LAST,
} from '../wire/message-numbers.ts';
import {
  encodeDisconnect,
  encodePong,
  encodeServiceAccept,
  encodeUnimplemented,
  encodeUserauthSuccess,
  parseDisconnect,
  parseExtInfo,
  parsePing,
  parseServiceRequest,
} from '../wire/transport-messages.ts';
import type { ByteQueue } from './byte-queue.ts';
import { matchClient, quirksOf, waitsForClientVersion } from './client-identity.ts';
import type { InputMemory } from './input-memory.ts';
import type { KeyExchangeControl } from './key-exchange-control.ts';
import { verdictTable, type InboundState, type Verdict } from './message-table.ts';
import { PacketReader } from './packet-reader.ts';
import { PacketWriter } from './packet-writer.ts';
import { ProtocolViolation } from './protocol-violation.ts';
import { SocketInput } from './socket-input.ts';
import { startTrafficPolicy } from './traffic-policy.ts';
import { TransportKeys } from './transport-keys.ts';
import { readVersion } from './version-exchange.ts';
import type { ClientIdentity, Phase, TransportHooks, TransportOptions } from './transport-types.ts';

/** Version line and first key exchange; TimeoutLogin may be longer. */
const HANDSHAKE_TIMEOUT_MS = 60_000;
/** Messages that move nothing, in a row. */
const MAX_IDLE_MESSAGES = 1_000;
const MAX_PING_BYTES_BEFORE_LOGIN = 256;
const MAX_PING_BYTES = 4_096;
/** What waits to be sent; above it nothing more is read, as everything read may ask for an answer. */
const CHOKE_BEFORE_LOGIN = 64 * 1024;
const CHOKE = 4 * 1024 * 1024;
const CLOSE_TIMEOUT_MS = 2_000;

export class SshTransport {
  readonly writer: PacketWriter;
  /** Where the message handed on lies; null: in memory that nobody uses again. */
  inputMemory: InputMemory | null = null;
  readonly client: ClientIdentity = { version: null, match: {}, quirks: quirksOf('') };
  readonly #options: TransportOptions;
  readonly #hooks: TransportHooks;
  readonly #input: SocketInput;
  readonly #reader = new PacketReader();
  readonly #keys: TransportKeys;
  #phase: Phase = 'version';
  #verdicts: readonly Verdict[] = verdictTable('kexinit', false);
  /** Something asynchronous works on the last packet. */
  #busy = false;
  /** Too much waits to be sent. */
  #choked = false;
  /** The services above have more than they use. */
  #sated = false;
  #idleMessages = 0;
  #packetsSinceService = 0;
  #handshakeTimer: NodeJS.Timeout | null = null;
  #stopTraffic: (() => void) | null = null;
  #failed = false;

  constructor(options: TransportOptions, hooks: TransportHooks) {
    const { socket } = options;
    this.#options = options;
    this.#hooks = hooks;
    this.#input = new SocketInput(socket, {
      consume: (bytes, start, end, memory) => this.#consume(bytes, start, end, memory),
      ended: () => this.#hooks.ended(),
    });
    this.writer = new PacketWriter(socket, {
      drained: () => this.#drained(),
      lowered: () => this.#lowered(),
      failed: (error) => this.#fail(error),
    });
    this.#keys = new TransportKeys(options, this.client, this.#reader, this.writer, {
      sftpLog: (text) => hooks.sftpLog(text),
      agreed: (algorithms) => hooks.agreed(algorithms),
      drained: () => hooks.drained(),
      isOpen: () => this.#phase === 'open',
      failed: (error) => this.#fail(error),
    });
  }

  get exchange(): KeyExchangeControl {
    return this.#keys.exchange;
  }

  /** Sends what comes first, and reads. */
  start(): void {
    const { serverVersion, settings } = this.#options;
    this.writer.sendLine(serverVersion);
    this.#hooks.sftpLog(`sent server version '${serverVersion}'`);
    if (!waitsForClientVersion(settings)) this.exchange.begin();
    this.#handshakeTimer = setTimeout(() => {
      this.#fail(
        new ProtocolViolation('Key exchange took too long', {
          code: DisconnectCode.byApplication,
          endReason: 'timeout',
        }),
      );
    }, HANDSHAKE_TIMEOUT_MS);
    this.#input.start();
  }

  /** Whether channel data may be sent now. */
  get acceptsData(): boolean {
    return !this.exchange.frozen && this.#phase === 'open' && this.writer.accepts;
  }

  /** One message; it waits where a key exchange runs. */
  send(payload: Buffer): void {
    if (this.#phase !== 'closed') this.#keys.send(payload);
  }

  /** Channel data, where `acceptsData`; returns the bytes taken from the queue. */
  sendData(peerId: number, queue: ByteQueue, limit: number): number {
    return this.#keys.sendData(peerId, queue, limit);
  }

  /** Whether nothing more is read for now; may be said again and again, from anywhere. */
  holdInput(hold: boolean): void {
    if (hold === this.#sated) return;
    this.#sated = hold;
    if (hold) this.#input.pause();
    // Not from within the parser.
    else queueMicrotask(() => this.#goOn());
  }

  /** USERAUTH_SUCCESS, and all that begins with it. Only from within `userauth`. @param settings - of the user */
  authenticated(settings: Settings): void {
    this.writer.send(encodeUserauthSuccess());
    this.#enter('open');
    this.#reader.raiseLimit();
    this.#input.useBulkReads();
    this.#keys.loggedIn(settings.sftpRekey);
    const { sftpTrafficPolicy } = settings;
    if (sftpTrafficPolicy !== null && this.client.quirks.takesIgnore) {
      this.#stopTraffic = startTrafficPolicy(sftpTrafficPolicy, (ignore) => {
        if (!this.exchange.frozen && this.#phase === 'open') this.writer.send(ignore);
      });
    }
  }

  /** Packets received so far, under whatever keys. */
  get packetsIn(): number {
    return this.#reader.total;
  }

  /** DISCONNECT, then the end of the connection; resolves when it is closed. Later calls only wait. */
  async disconnect(code: number, text: string): Promise<void> {
    if (this.#phase !== 'closed') {
      if (this.client.version !== null || this.#phase !== 'version')
        this.writer.send(encodeDisconnect(code, text));
      this.#stop();
      await Promise.race([this.writer.settled(), this.#closed()]);
    }
    await this.#endSocket();
  }

  /** Ends the connection without a word, behind what is queued. */
  async end(): Promise<void> {
    this.#stop();
    await this.#endSocket();
  }

  /** Frees what is left; the socket is gone. */
  close(): void {
    this.#stop();
    this.writer.close();
    this.#reader.close();
    this.#keys.close();
  }

  #stop(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#input.close();
    this.#keys.stop();
    this.#stopTraffic?.();
    if (this.#handshakeTimer !== null) clearTimeout(this.#handshakeTimer);
  }

  async #endSocket(): Promise<void> {
    const { socket } = this.#options;
    if (socket.destroyed) return;
    this.writer.flush();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    if (!socket.writableEnded) socket.end();
    await this.#closed();
    clearTimeout(timer);
  }

  #closed(): Promise<void> {
    const { socket } = this.#options;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => socket.once('close', () => resolve()));
  }

  // --- input ---

  #consume(bytes: Buffer, start: number, end: number, memory: InputMemory | null): number {
    let at = start;
    this.inputMemory = memory;
    this.writer.cork();
    try {
      if (this.#phase === 'version') at += this.#readVersion(bytes.subarray(at, end));
      const reader = this.#reader;
      while (!this.#input.paused && this.#phase !== 'version') {
        const taken = reader.read(bytes, at, end, memory !== null);
        if (taken === 0) break;
        at += taken;
        if (reader.payloadEnd !== 0) this.#received();
      }
      this.#keys.noteReceived();
      if (this.writer.queued > (this.#phase === 'open' ? CHOKE : CHOKE_BEFORE_LOGIN)) this.#choke();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.writer.uncork();
    }
    return this.#phase === 'closed' ? end : at;
  }

  /** Bytes taken; 0: the line is not whole. */
  #readVersion(bytes: Buffer): number {
    const { settings, socket } = this.#options;
    const tell = (line: string): void => this.writer.sendLine(line);
    const read = readVersion(bytes, settings, socket.remoteAddress ?? 'unknown', tell);
    if (read === null) return 0;
    const { version } = read;
    this.client.version = version;
    this.client.quirks = quirksOf(version.software);
    this.client.match = matchClient(settings.sftpClientMatch, version.software);
    this.#hooks.clientNamed(version);
    this.#enter('first-exchange');
    if (!this.exchange.frozen) this.exchange.begin();
    return read.bytes;
  }

  #received(): void {
    const { packet, payloadEnd } = this.#reader;
    const { inflater } = this.#keys;
    if (inflater === null) {
      void this.#dispatch(packet, 1, payloadEnd);
    } else {
      const inflating = inflater.convert(packet.subarray(1, payloadEnd));
      void this.#hold(
        inflating.then((payload) => {
          this.inputMemory = null;
          if (payload.length === 0) throw new ByteError('empty payload');
          return this.#dispatch(payload, 0, payload.length);
        }),
      );
    }
  }

  /** A promise where something asynchronous goes on; the parser is held until then. */
  #dispatch(packet: Buffer, start: number, end: number): Promise<void> | undefined {
    if (this.#phase === 'closed') return undefined;
    const type = packet[start]!;
    const verdict = this.#verdicts[type];
    if (verdict !== 'accept') return this.#turnAway(type, verdict!);
    if (type >= CHANNEL_DATA && type !== PING) return this.#toConnection(packet, start, end);
    const payload = packet.subarray(start, end);
    if (type > USERAUTH_LAST && type !== PING) return this.#toConnection(packet, start, end);
    if (type === IGNORE || type === DEBUG || type === UNIMPLEMENTED) return this.#countIdle();
    this.#hooks.logMessage(type);
    if (type === DISCONNECT) return this.#peerDisconnected(payload);
    if (type === PING) return this.#pong(payload);
    this.#idleMessages = 0;
    if (type === KEXINIT) return this.#kexInit(payload);
    if (type === NEWKEYS) return this.#newKeys();
    if (type > NEWKEYS && type <= KEX_LAST) return this.#hold(this.#kexStep(payload));
    this.#packetsSinceService += 1;
    if (type === EXT_INFO) return this.#extInfo(payload);
    if (type === SERVICE_REQUEST) return this.#serviceRequest(payload);
    return this.#hold(this.#hooks.userauth(payload));
  }

  #toConnection(packet: Buffer, start: number, end: number): Promise<void> | undefined {
    this.#idleMessages = 0;
    const going = this.#hooks.connection(packet, start, end);
    return going === undefined ? undefined : this.#hold(going);
  }

  #turnAway(type: number, verdict: Verdict): undefined {
    if (verdict === 'ignore') return;
    if (verdict === 'refuse') {
      throw new ProtocolViolation('Protocol error: message out of place', {
        logText: `client sent message ${type}, which has no place in this state, disconnecting`,
      });
    }
    this.#countIdle();
    this.send(encodeUnimplemented((this.#reader.sequence + 0xffff_ffff) % 0x1_0000_0000));
  }

  #countIdle(): undefined {
    this.#idleMessages += 1;
    this.#packetsSinceService += 1;
    if (this.#idleMessages > MAX_IDLE_MESSAGES)
      throw new ProtocolViolation('Too many messages without effect');
  }

  #peerDisconnected(payload: Buffer): undefined {
    const { code, text } = parseDisconnect(payload);
    this.#stop();
    this.#hooks.disconnected(code, text);
  }

  #pong(payload: Buffer): undefined {
    const isOpen = this.#phase === 'open';
    if (!isOpen) this.#countIdle();
    this.send(encodePong(parsePing(payload, isOpen ? MAX_PING_BYTES : MAX_PING_BYTES_BEFORE_LOGIN)));
  }

  #extInfo(payload: Buffer): undefined {
    if (this.#packetsSinceService !== 1) throw new ProtocolViolation('EXT_INFO out of place');
    parseExtInfo(payload);
  }

  #serviceRequest(payload: Buffer): undefined {
    const name = parseServiceRequest(payload);
    if (name !== 'ssh-userauth') {
      throw new ProtocolViolation('Service not available', {
        code: DisconnectCode.serviceNotAvailable,
        logText: `client requested unknown service '${name}', disconnecting`,
      });
    }
    this.send(encodeServiceAccept(name));
    this.#enter('userauth');
  }

  // --- key exchange ---

  #kexInit(payload: Buffer): Promise<void> | undefined {
    const going = this.#keys.receiveKexInit(payload);
    this.#enter(this.#phase);
    return going === undefined ? undefined : this.#hold(going);
  }

  async #kexStep(payload: Buffer): Promise<void> {
    const agreed = await this.#keys.step(payload, () => this.#phase === 'closed');
    if (!agreed) return;
    this.#enter(this.#phase);
    this.#keys.answerNewKeys(this.#phase);
  }

  #newKeys(): undefined {
    this.#keys.receiveNewKeys(this.#phase);
    if (this.#phase !== 'first-exchange') return this.#enter(this.#phase);
    if (this.#handshakeTimer !== null) clearTimeout(this.#handshakeTimer);
    this.#handshakeTimer = null;
    this.#enter('service');
  }

  // --- states ---

  #enter(phase: Phase): undefined {
    this.#phase = phase;
    this.#verdicts = verdictTable(inboundState(phase, this.exchange), this.exchange.strict);
  }

  /** The parser goes on when `going` settles. */
  #hold(going: Promise<unknown>): Promise<void> {
    if (this.#busy) return going.then(() => undefined);
    this.#busy = true;
    this.#input.pause();
    return going.then(
      () => {
        this.#busy = false;
        this.#goOn();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #choke(): void {
    this.#choked = true;
    this.#input.pause();
  }

  #lowered(): void {
    if (!this.#choked || this.writer.queued > CHOKE_BEFORE_LOGIN) return;
    this.#choked = false;
    this.#goOn();
  }

  #drained(): void {
    if (this.acceptsData) this.#hooks.drained();
  }

  #goOn(): void {
    const held = this.#busy || this.#choked || this.#sated;
    if (!held && this.#phase !== 'closed') this.#input.resume();
  }

  #fail(error: unknown): void {
    if (this.#failed || this.#phase === 'closed') return;
    this.#failed = true;
    this.#input.pause();
    if (error instanceof ByteError) {
      const logText = `malformed message from client: ${error.message}`;
      this.#hooks.failed(new ProtocolViolation('Protocol error: malformed message', { logText }));
    } else {
      this.#hooks.failed(error);
    }
  }
}

function inboundState(phase: Phase, exchange: KeyExchangeControl): InboundState {
  if (phase === 'service' || phase === 'userauth') return phase;
  const isOpen = phase === 'open';
  if (exchange.phase === 'running') return isOpen ? 'rekey-kex' : 'kex';
  if (exchange.phase === 'newkeys') return isOpen ? 'rekey-newkeys' : 'newkeys';
  return isOpen ? 'open' : 'kexinit';
}
