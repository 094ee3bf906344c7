/** The keys of one connection in both directions: when they change, what waits meanwhile, and what changes with them. */
import { cipherSpec, type PacketSealer } from '../../../crypto/ssh/packet-protection.ts';
import type { SftpRekey } from '../../../src/config/server-config.ts';
import { encodeExtInfo } from '../wire/transport-messages.ts';
import { acceptedUserAlgorithms, offeredAlgorithms } from './algorithm-offer.ts';
import type { ByteQueue } from './byte-queue.ts';
import { KeyExchangeControl } from './key-exchange-control.ts';
import type { AgreedAlgorithms } from './negotiation.ts';
import type { PacketReader } from './packet-reader.ts';
import type { PacketWriter } from './packet-writer.ts';
import { PayloadInflater } from './payload-compression.ts';
import { ProtocolViolation } from './protocol-violation.ts';
import { RekeyClock } from './rekey-clock.ts';
import { ignoreBeforeData } from './traffic-policy.ts';
import type { ClientIdentity, Phase, TransportOptions } from './transport-types.ts';

export interface KeyHooks {
  sftpLog(text: string): void;
  agreed(algorithms: AgreedAlgorithms): void;
  /** Channel data may be sent again. */
  drained(): void;
  /** The user has logged in. */
  isOpen(): boolean;
  failed(error: unknown): void;
}

/** Messages other than channel data that may wait for the end of a key exchange. */
const MAX_HELD = 4_096;
const MAX_HELD_BYTES = 1024 * 1024;
const DELAYED_COMPRESSION = 'zlib@openssh.com';

export class TransportKeys {
  readonly exchange: KeyExchangeControl;
  /** Null: what comes in is not compressed. */
  inflater: PayloadInflater | null = null;
  readonly #options: TransportOptions;
  readonly #client: ClientIdentity;
  readonly #reader: PacketReader;
  readonly #writer: PacketWriter;
  readonly #hooks: KeyHooks;
  readonly #clock: RekeyClock;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #sendsIgnores = false;

  constructor(
    options: TransportOptions,
    client: ClientIdentity,
    reader: PacketReader,
    writer: PacketWriter,
    hooks: KeyHooks,
  ) {
    const { settings, hostKeys, configuredGroups, serverVersion } = options;
    this.#options = options;
    this.#client = client;
    this.#reader = reader;
    this.#writer = writer;
    this.#hooks = hooks;
    this.exchange = new KeyExchangeControl({
      settings,
      hostKeys,
      configuredGroups,
      serverVersion,
      offer: () => offeredAlgorithms(settings, client.match, hostKeys),
      clientVersion: () => client.version?.line ?? '',
      log: (text) => hooks.sftpLog(text),
      send: (payload) => writer.send(payload),
      useSealer: (sealer, reset) => this.#useSealer(sealer, reset),
    });
    this.#clock = new RekeyClock(settings.sftpRekey, {
      begin: () => this.#beginRekey(),
      failed: (error) => hooks.failed(error),
    });
  }

  /** One message; RFC 4253, section 7.1: during a key exchange nothing else may be sent. */
  send(payload: Buffer): void {
    if (!this.exchange.frozen) return this.#writer.send(payload);
    this.#held.push(Buffer.from(payload));
    this.#heldBytes += payload.length;
    if (this.#held.length > MAX_HELD || this.#heldBytes > MAX_HELD_BYTES)
      this.#hooks.failed(new ProtocolViolation('Too many requests during key exchange'));
  }

  /** Channel data, never during a key exchange; returns the bytes taken from the queue. */
  sendData(peerId: number, queue: ByteQueue, limit: number): number {
    if (this.#sendsIgnores) this.#writer.send(ignoreBeforeData());
    const bytes = this.#writer.sendData(peerId, queue, limit);
    this.#clock.noteOut(this.#writer);
    return bytes;
  }

  /** After packets were received. */
  noteReceived(): void {
    this.#clock.noteIn(this.#reader);
  }

  /** USERAUTH_SUCCESS has been sent: delayed compression begins, keys grow old. */
  loggedIn(rekey: SftpRekey): void {
    const { agreed } = this.exchange;
    if (agreed?.compressionOut === DELAYED_COMPRESSION) this.#writer.useCompression(true);
    if (agreed?.compressionIn === DELAYED_COMPRESSION) this.#useInflater(new PayloadInflater());
    if (this.#client.quirks.takesRekey) this.#clock.start(rekey);
  }

  /** The client's KEXINIT, the packet read last. */
  receiveKexInit(payload: Buffer): Promise<void> | undefined {
    if (!this.exchange.isFirst) this.#clock.running();
    return this.exchange.receiveKexInit(payload, this.#reader.sequence - 1);
  }

  /** A message of the key exchange method; true: keys are agreed on, and the connection still wants them. */
  async step(payload: Buffer, isOver: () => boolean): Promise<boolean> {
    await this.exchange.step(payload);
    if (isOver() || this.exchange.phase !== 'newkeys') return false;
    this.#hooks.agreed(this.exchange.agreed!);
    return true;
  }

  /** Our NEWKEYS, unless this client must send its own first. */
  answerNewKeys(phase: Phase): void {
    if (this.#client.match.pessimisticNewkeys !== true) this.#sendNewKeys(phase);
  }

  /** The client's NEWKEYS. */
  receiveNewKeys(phase: Phase): void {
    const { exchange } = this;
    const agreed = exchange.agreed!;
    const opener = exchange.receiveNewKeys();
    this.#reader.useKeys(opener, exchange.strict);
    this.#useInflater(this.#compresses(agreed.compressionIn) ? new PayloadInflater() : null);
    if (exchange.frozen) this.#sendNewKeys(phase);
    const limits = { cipherIn: cipherSpec(agreed.cipherIn)!, cipherOut: cipherSpec(agreed.cipherOut)! };
    this.#clock.renewed(limits, phase === 'open' && this.#client.quirks.takesRekey);
  }

  stop(): void {
    this.#clock.stop();
    this.exchange.stop();
  }

  close(): void {
    this.exchange.close();
    this.#useInflater(null);
    this.#held = [];
  }

  #sendNewKeys(phase: Phase): void {
    this.exchange.sendNewKeys();
    if (phase === 'first-exchange' && this.exchange.clientTakesExtInfo) {
      // RFC 8308, section 2.4: the packet right behind the first NEWKEYS.
      this.#writer.send(
        encodeExtInfo([
          ['server-sig-algs', acceptedUserAlgorithms(this.#options.settings).join(',')],
          ['publickey-hostbound@openssh.com', '0'],
          ['ping@openssh.com', '0'],
        ]),
      );
    }
    this.#heldBytes = 0;
    for (const payload of this.#held.splice(0)) this.#writer.send(payload);
    if (phase === 'open') this.#hooks.drained();
  }

  #useSealer(sealer: PacketSealer, reset: boolean): void {
    const agreed = this.exchange.agreed!;
    this.#writer.useKeys(sealer, reset);
    this.#writer.useCompression(this.#compresses(agreed.compressionOut));
    const isCbc = cipherSpec(agreed.cipherOut)?.kind === 'cbc';
    const { sftpTrafficPolicy } = this.#options.settings;
    const isWanted = sftpTrafficPolicy === 'rogaway' || (isCbc && sftpTrafficPolicy === null);
    this.#sendsIgnores = isWanted && this.#client.quirks.takesIgnore;
    if (isCbc && sftpTrafficPolicy === 'none')
      this.#hooks.sftpLog("'none' traffic policy explicitly configured, ignoring 'rogaway' policy");
  }

  #useInflater(inflater: PayloadInflater | null): void {
    this.inflater?.close();
    this.inflater = inflater;
  }

  #compresses(name: string): boolean {
    return name === 'zlib' || (name === DELAYED_COMPRESSION && this.#hooks.isOpen());
  }

  #beginRekey(): void {
    if (!this.#hooks.isOpen() || this.exchange.phase !== 'idle' || this.exchange.frozen) return;
    this.#hooks.sftpLog('sending rekey KEXINIT');
    this.exchange.begin();
  }
}
