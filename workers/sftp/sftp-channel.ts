/** One SFTP channel: bytes in, messages, requests in order, replies in order; and the end of everything it opened. */
import type { SftpExtension, SftpOption } from '../../src/config/server-config.ts';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import type { ChannelHandler, SshChannel } from '../ssh/ssh-channel.ts';
import type { SshSession } from '../ssh/ssh-types.ts';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FakedAttributes } from '../vfs/faked-attributes.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { VirtualFileSystem } from '../vfs/types.ts';
import { closeHandle } from './close-handle.ts';
import { HandleTable, type OpenHandle } from './handle-table.ts';
import { allowedVersions, chooseVersion, enabledExtensions, versionPairs } from './negotiation.ts';
import { QueuedRequest } from './queued-request.ts';
import { RequestLog } from './request-log.ts';
import { RequestScheduler, type SchedulerHost } from './request-scheduler.ts';
import { countHandles, requireFreeHandle } from './session-handles.ts';
import type { VersionRange } from './sftp-types.ts';
import { StatusError, unknownHandle } from './status-error.ts';
import { MessageType, type SftpVersion } from './wire/message-types.ts';
import { PacketDecoder, PacketError, type Message } from './wire/packet-decoder.ts';
import { encodeVersion } from './wire/replies.ts';
import { StatusCode } from './wire/status.ts';

/** Beyond these the rest of the channel's bytes waits undecoded, and its window closes. */
const MAX_QUEUED_REQUESTS = 256;
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

/** Serves SFTP on `channel`. The caller hands it every byte of the channel and calls `closed` once. */
export function createSftp(channel: SshChannel): ChannelHandler {
  const service = new SftpChannel(channel);
  return {
    data: (chunk) => service.receive(chunk),
    eof: () => service.receivedAll(),
    writable: () => service.wake(),
    closed: () => service.close(),
  };
}

/** The same; null (and a line in SFTPLog) where Protocols leaves sftp out. */
export function openSftp(channel: SshChannel): ChannelHandler | null {
  const { protocols } = channel.session.settings;
  if (protocols === null || protocols.some((name) => name.toLowerCase() === 'sftp'))
    return createSftp(channel);
  channel.session.sftpLog(`'sftp' subsystem denied by Protocols config`);
  return null;
}

/**
 * greeting: INIT has not come. open: requests. ending: the peer sends no more, or broke a rule; what is queued is still
 * answered. ended: the channel was told to close. closed: it is.
 */
type State = 'greeting' | 'open' | 'ending' | 'ended' | 'closed';

class SftpChannel implements SchedulerHost {
  readonly session: SshSession;
  readonly vfs: VirtualFileSystem;
  readonly allowedVersions: VersionRange;
  readonly options: ReadonlySet<SftpOption>;
  readonly extensions: ReadonlySet<SftpExtension>;
  readonly owners: FakedAttributes;
  readonly log: RequestLog;
  readonly handles = new HandleTable();
  readonly #channel: SshChannel;
  readonly #decoder = new PacketDecoder();
  readonly #scheduler: RequestScheduler;
  #version: SftpVersion = 3;
  #state: State = 'greeting';
  /** A second INIT waits for what came before it: it changes the version, and memory is counted in order of arrival. */
  #heldInit: Message | null = null;
  /** version-select may only come before any other request. */
  #versionSettled = false;
  #advancing = false;
  /** Exit status of the subsystem: 1 where the peer broke a rule. */
  #exitStatus = 0;

  constructor(channel: SshChannel) {
    const { session } = channel;
    this.#channel = channel;
    this.session = session;
    this.vfs = session.vfs;
    this.allowedVersions = allowedVersions(session.client.match);
    this.options = new Set(session.settings.sftpOptions);
    this.extensions = enabledExtensions(session.settings);
    this.owners = new FakedAttributes(session.account, session.vfs.owners, session.settings);
    this.log = new RequestLog(session);
    this.#scheduler = new RequestScheduler(this);
  }

  get version(): SftpVersion {
    return this.#version;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  get writable(): boolean {
    return this.#channel.writable;
  }

  get drained(): boolean {
    return this.#channel.drained;
  }

  receive(chunk: Buffer): void {
    // After the end of the service nobody uses what still arrives; its window stays closed.
    if (this.#state === 'ended' || this.#state === 'closed') return;
    this.#decoder.push(chunk);
    this.wake();
  }

  receivedAll(): void {
    if (this.#state === 'ended' || this.#state === 'closed') return;
    this.#state = 'ending';
    this.wake();
  }

  /** Channel and scheduler both say that something may go on now. */
  wake(): void {
    if (this.#advancing) return;
    if (this.#state === 'closed') {
      if (this.#scheduler.idle) this.#release();
      return;
    }
    this.#advancing = true;
    try {
      while (this.#step());
    } finally {
      this.#advancing = false;
    }
  }

  /** The channel is gone. */
  close(): void {
    this.#state = 'closed';
    this.#scheduler.stop();
    // A read or write on its way still uses its descriptor.
    if (this.#scheduler.idle) this.#release();
  }

  write(parts: readonly Buffer[]): void {
    this.#channel.write(...parts);
  }

  consumed(bytes: number): void {
    this.#channel.consumed(bytes);
  }

  addHandle(handle: OpenHandle): Buffer {
    countHandles(this.session, 1);
    return this.handles.add(handle);
  }

  reserveHandle(): void {
    requireFreeHandle(this.session);
  }

  handle(name: Buffer): OpenHandle {
    const handle = this.handles.find(name);
    if (handle === null) throw unknownHandle();
    return handle;
  }

  takeHandle(name: Buffer): OpenHandle {
    const handle = this.handles.remove(name);
    if (handle === null) throw unknownHandle();
    countHandles(this.session, -1);
    return handle;
  }

  selectVersion(name: string): void {
    const version = /^[2-6]$/.test(name) ? (Number(name) as SftpVersion) : null;
    const { min, max } = this.allowedVersions;
    if (this.#versionSettled || version === null || version < min || version > max) {
      this.#breakOff(`client sent a version-select for '${name}' that cannot be followed`);
      throw new StatusError(StatusCode.INVALID_PARAMETER);
    }
    this.#settleVersion(version);
    this.#versionSettled = true;
  }

  /** True where there may be more to do. */
  #step(): boolean {
    if (this.#state === 'ended' || this.#state === 'closed') return false;
    const decoded = this.#decodeAll();
    const advanced = this.#scheduler.advance();
    if (decoded || advanced) return true;
    if (this.#state === 'ending' && this.#scheduler.length === 0 && this.#scheduler.idle) this.#end();
    return false;
  }

  #decodeAll(): boolean {
    let count = 0;
    while (this.#mayDecode()) {
      const message = this.#heldInit ?? this.#nextMessage();
      this.#heldInit = null;
      if (message === null) break;
      if (message.type === MessageType.INIT && this.#scheduler.length > 0) {
        this.#heldInit = message;
        break;
      }
      count += 1;
      if (message.type === MessageType.INIT) this.#greet(message);
      else this.#enqueue(message);
    }
    return count > 0;
  }

  #mayDecode(): boolean {
    if (this.#state === 'ended' || this.#state === 'closed' || this.#exitStatus !== 0) return false;
    return this.#scheduler.length < MAX_QUEUED_REQUESTS && this.#scheduler.queuedBytes < MAX_QUEUED_BYTES;
  }

  #nextMessage(): Message | null {
    try {
      return this.#decoder.next();
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      this.#abort(error.message);
      return null;
    }
  }

  #enqueue(message: Message): void {
    if (this.#state === 'greeting') {
      this.#abort(`received SFTP request ${message.type} before INIT`);
      return;
    }
    if (message.type !== MessageType.EXTENDED) this.#versionSettled = true;
    this.#scheduler.push(new QueuedRequest(message));
  }

  /** INIT; a second one is answered again, as mod_sftp does. */
  #greet(message: Message): void {
    const asked = askedVersion(message);
    const version = asked === null ? null : chooseVersion(asked, this.allowedVersions);
    if (asked === null || version === null) {
      this.#abort('Unable to use requested SFTP protocol version');
      return;
    }
    if (this.#state === 'greeting') this.#state = 'open';
    this.log.greeting(asked);
    this.#settleVersion(version);
    this.write([encodeVersion(version, versionPairs(version, this.allowedVersions, this.extensions))]);
    this.consumed(message.size);
  }

  #settleVersion(version: SftpVersion): void {
    this.#version = version;
    const { id } = this.#channel;
    this.session.sftpLog(`using SFTP protocol version ${version} for this session (channel ID ${id})`);
  }

  /** What is queued is answered, then the channel ends. */
  #breakOff(reason: string): void {
    this.session.sftpLog(reason);
    this.#exitStatus = 1;
    this.#state = 'ending';
  }

  #abort(reason: string): void {
    this.#state = 'ended';
    this.session.sftpLog(reason);
    this.#channel.abort(reason);
  }

  #end(): void {
    this.#state = 'ended';
    if (this.#exitStatus === 0 && this.#decoder.buffered > 0) {
      this.session.sftpLog(
        `client ended the channel in the middle of a request (${this.#decoder.buffered} bytes)`,
      );
    }
    this.#release();
    this.#channel.end(this.#exitStatus);
  }

  /** Unfinished uploads are aborted and logged as incomplete. */
  #release(): void {
    const open = this.handles.removeAll();
    if (open.length === 0) return;
    countHandles(this.session, -open.length);
    const files = open.filter((handle) => handle.kind === 'file').length;
    if (files > 0) this.session.sftpLog(`aborting ${files} unclosed file handle${files === 1 ? '' : 's'}`);
    for (const handle of open) {
      try {
        closeHandle(this, handle, false);
      } catch (error) {
        const { code } = error instanceof FsError ? error : toFsError(error);
        this.session.sftpLog(`error closing '${handle.realPath}': ${code}`);
      }
    }
  }
}

/** `u32 version`; what follows are the client's own extensions. Null where it is truncated. */
function askedVersion(message: Message): number | null {
  try {
    return new ByteReader(message.body).u32();
  } catch (error) {
    if (error instanceof ByteError) return null;
    throw error;
  }
}
