/** The connection layer (RFC 4254): channels, global requests, what runs on a channel. */
import type { HostKey } from '../../../crypto/ssh/host-keys.ts';
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import type { ChannelServices } from '../ssh-channel.ts';
import type { SshSession } from '../ssh-types.ts';
import type { SshTransport } from '../transport/ssh-transport.ts';
import { ProtocolViolation } from '../transport/protocol-violation.ts';
import {
  encodeChannelRequest,
  encodeGlobalRequest,
  encodeOpenConfirmation,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeRequestSuccess,
  parseChannelNumber,
  parseChannelOpen,
  parseExtendedData,
  parseGlobalRequest,
  parseWindowAdjust,
  type ChannelOpen,
} from '../wire/connection-messages.ts';
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
  GLOBAL_REQUEST,
  OpenFailure,
  REQUEST_FAILURE,
  REQUEST_SUCCESS,
} from '../wire/message-numbers.ts';
import { Channel, type ChannelLink } from './channel.ts';
import { answerChannelRequest } from './channel-requests.ts';
import { ReceiveWindow } from './receive-window.ts';

export interface ConnectionHooks {
  /** The client does something with a channel: it is not idle. */
  active(): void;
  /** ExtendedLog, class SSH. */
  logMessage(type: number): void;
  moved(bytes: number): void;
}

/** The largest data one of the client's packets may bring: OpenSSH then sends a third less work per byte than with 32 KiB. */
const OWN_MAX_PACKET = 128 * 1024;
const DATA_PREFIX = 9;
/** Opens in a second; no client needs as many. */
const MAX_OPENS_PER_SECOND = 200;
const MAX_PROVED_KEYS = 16;
/**
 * What services have been given and not used, over all channels of a session. SFTPClientMatch may promise windows of 2
 * GiB; beyond this no more is read from the socket, and TCP holds the client back.
 */
const MAX_WAITING = 32 * 1024 * 1024;
const KEEPALIVE = 'keepalive@proftpd.org';

export class Connection {
  readonly #session: SshSession;
  readonly #transport: SshTransport;
  readonly #services: ChannelServices;
  readonly #hooks: ConnectionHooks;
  readonly #hostKeys: readonly HostKey[];
  readonly #channels = new Map<number, Channel>();
  readonly #link: ChannelLink;
  #nextId = 0;
  #noMoreSessions = false;
  /** Answers to global requests of ours that are still to come. */
  #awaited = 0;
  #opens = { second: 0, count: 0 };
  #waiting = 0;

  constructor(
    session: SshSession,
    transport: SshTransport,
    services: ChannelServices,
    hostKeys: readonly HostKey[],
    hooks: ConnectionHooks,
  ) {
    this.#session = session;
    this.#transport = transport;
    this.#services = services;
    this.#hostKeys = hostKeys;
    this.#hooks = hooks;
    this.#link = {
      session,
      get acceptsData() {
        return transport.acceptsData;
      },
      send: (payload) => transport.send(payload),
      sendData: (peerId, queue, limit) => transport.sendData(peerId, queue, limit),
      moved: (bytes) => hooks.moved(bytes),
      waiting: (change) => {
        this.#waiting += change;
        transport.holdInput(this.#waiting > MAX_WAITING);
      },
      forget: (channel) => void this.#channels.delete(channel.id),
    };
  }

  /** hostkeys-00@openssh.com: tells the client all keys of this server, so that it can learn new ones. */
  announceHostKeys(): void {
    if (this.#session.settings.sftpOptions.includes('NoHostkeyRotation')) return;
    if (!this.#transport.client.quirks.takesHostKeyRotation || this.#hostKeys.length === 0) return;
    const blobs = new ByteWriter(2048);
    for (const key of this.#hostKeys) blobs.string(key.blob);
    this.#transport.send(encodeGlobalRequest('hostkeys-00@openssh.com', false, blobs.finish()));
  }

  /** One message; its payload lies in `packet` from `start` to `end`. */
  handle(packet: Buffer, start: number, end: number): Promise<void> | undefined {
    const type = packet[start]!;
    if (type === CHANNEL_DATA) {
      this.#data(packet, start, end);
      return undefined;
    }
    const payload = packet.subarray(start, end);
    if (type !== CHANNEL_WINDOW_ADJUST) this.#hooks.logMessage(type);
    switch (type) {
      case CHANNEL_WINDOW_ADJUST: {
        const { id, bytes } = parseWindowAdjust(payload);
        this.#channel(id)?.widen(bytes);
        return undefined;
      }
      case CHANNEL_EXTENDED_DATA: {
        const { id, bytes } = parseExtendedData(payload);
        if (this.#channel(id)?.receiveUnwanted(bytes) === false) throw windowViolation();
        return undefined;
      }
      case CHANNEL_OPEN:
        this.#open(parseChannelOpen(payload));
        return undefined;
      case CHANNEL_REQUEST:
        this.#hooks.active();
        answerChannelRequest(payload, {
          channel: (id) => this.#channel(id),
          services: this.#services,
          session: this.#session,
          send: (answer) => this.#transport.send(answer),
        });
        return undefined;
      case CHANNEL_EOF:
        this.#channel(parseChannelNumber(payload))?.peerEnded();
        return undefined;
      case CHANNEL_CLOSE:
        this.#channel(parseChannelNumber(payload))?.peerClosed();
        return undefined;
      case CHANNEL_SUCCESS:
      case CHANNEL_FAILURE:
        this.#channelAnswer(parseChannelNumber(payload));
        return undefined;
      case REQUEST_SUCCESS:
      case REQUEST_FAILURE:
        this.#globalAnswer();
        return undefined;
      case GLOBAL_REQUEST:
        return this.#globalRequest(payload);
      default:
        throw new Error(`message ${type} got past the table`);
    }
  }

  /** Output that was held back may go on. */
  proceed(): void {
    for (const channel of this.#channels.values()) channel.proceed();
  }

  /** SFTPClientAlive: asks for an answer of whatever kind. */
  probe(): void {
    for (const channel of this.#channels.values()) {
      if (channel.closing) continue;
      channel.awaited += 1;
      this.#transport.send(encodeChannelRequest(channel.peerId, KEEPALIVE, true, Buffer.alloc(0)));
      return;
    }
    this.#awaited += 1;
    this.#transport.send(encodeGlobalRequest(KEEPALIVE, true, Buffer.alloc(0)));
  }

  /** The connection is over. */
  close(): void {
    for (const channel of [...this.#channels.values()]) channel.tellClosed();
    this.#channels.clear();
  }

  /** CHANNEL_DATA: uint32 recipient, string data. */
  #data(packet: Buffer, start: number, end: number): void {
    if (end - start < DATA_PREFIX) throw new ProtocolViolation('Protocol error: malformed message');
    const length = packet.readUInt32BE(start + 5);
    if (length !== end - start - DATA_PREFIX)
      throw new ProtocolViolation('Protocol error: malformed message');
    this.#hooks.active();
    const channel = this.#channel(packet.readUInt32BE(start + 1));
    if (channel === null) return;
    const chunk = packet.subarray(start + DATA_PREFIX, end);
    if (length > OWN_MAX_PACKET || !channel.receive(chunk, this.#transport.inputMemory))
      throw windowViolation();
  }

  /** Null: closed on both sides a moment ago. A number never given out ends the connection. */
  #channel(id: number): Channel | null {
    const channel = this.#channels.get(id);
    if (channel !== undefined) return channel;
    if (id >= this.#nextId) throw new ProtocolViolation('Protocol error: unknown channel');
    return null;
  }

  #open(request: ChannelOpen): void {
    const refuse = (reason: number, text: string): void =>
      this.#transport.send(encodeOpenFailure(request.peerId, reason, text));
    const { settings } = this.#session;
    if (this.#noMoreSessions)
      throw new ProtocolViolation('Possible attack: channel opened after no-more-sessions');
    this.#countOpen();
    if (request.type !== 'session') {
      this.#session.sftpLog(`unsupported channel type '${request.type}' requested, denying`);
      return refuse(OpenFailure.unknownChannelType, 'Unsupported channel type requested');
    }
    if (request.window === 0 || request.maxPacket === 0)
      return refuse(OpenFailure.administrativelyProhibited, 'Invalid channel parameters provided');
    if (this.#channels.size >= settings.sftpMaxChannels) {
      this.#session.sftpLog(
        `maximum number of channels (${settings.sftpMaxChannels}) open, denying request to open '${request.type}' channel`,
      );
      return refuse(OpenFailure.resourceShortage, 'Maximum number of channels open');
    }
    const { match } = this.#session.client;
    const receive = new ReceiveWindow(match.channelWindowSize ?? null);
    const channel = new Channel(this.#nextId, request, receive, this.#link);
    this.#nextId += 1;
    this.#channels.set(channel.id, channel);
    const maxPacket = Math.min(match.channelPacketSize ?? OWN_MAX_PACKET, OWN_MAX_PACKET);
    this.#transport.send(encodeOpenConfirmation(channel.peerId, channel.id, receive.size, maxPacket));
  }

  #countOpen(): void {
    const second = Math.floor(performance.now() / 1000);
    if (this.#opens.second !== second) this.#opens = { second, count: 0 };
    this.#opens.count += 1;
    if (this.#opens.count > MAX_OPENS_PER_SECOND) throw new ProtocolViolation('Too many channels opened');
  }

  #channelAnswer(id: number): void {
    const channel = this.#channel(id);
    if (channel === null) return;
    if (channel.awaited === 0) throw new ProtocolViolation('Protocol error: answer without a request');
    channel.awaited -= 1;
  }

  #globalAnswer(): void {
    if (this.#awaited === 0) throw new ProtocolViolation('Protocol error: answer without a request');
    this.#awaited -= 1;
  }

  #globalRequest(payload: Buffer): Promise<void> | undefined {
    const { name, wantReply, data } = parseGlobalRequest(payload);
    if (name === 'no-more-sessions@openssh.com') this.#noMoreSessions = true;
    if (name === 'hostkeys-prove-00@openssh.com' && wantReply) return this.#proveHostKeys(data);
    if (wantReply) this.#transport.send(encodeRequestFailure());
    return undefined;
  }

  /** Signatures that show that this server holds the keys it announced. */
  async #proveHostKeys(data: Buffer): Promise<void> {
    const reader = new ByteReader(data);
    const answer = new ByteWriter(2048);
    const { sessionId, agreed } = this.#transport.exchange;
    let count = 0;
    while (reader.remaining > 0) {
      const blob = reader.string();
      const key = this.#hostKeys.find((candidate) => candidate.blob.equals(blob));
      count += 1;
      if (key === undefined || count > MAX_PROVED_KEYS) return this.#transport.send(encodeRequestFailure());
      const signed = new ByteWriter(1024)
        .string('hostkeys-prove-00@openssh.com')
        .string(sessionId!)
        .string(blob)
        .finish();
      // RSA: as the client wants it for its host key, never with SHA-1.
      const wanted = key.algorithms.find((name) => name === agreed?.hostKey && name !== 'ssh-rsa');
      answer.string(await key.sign(wanted ?? key.algorithms[0]!, signed));
    }
    this.#transport.send(encodeRequestSuccess(answer.finish()));
  }
}

function windowViolation(): ProtocolViolation {
  return new ProtocolViolation('Protocol error: window exceeded', {
    logText: 'client sent more channel data than its window and packet size allow, disconnecting',
  });
}
