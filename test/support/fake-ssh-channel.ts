/** An SSH channel in memory, with a session around it, for services that run on channels. */
import { DEFAULT_SETTINGS } from '../../src/config/default-settings.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import type { Settings } from '../../src/config/server-config.ts';
import type { MainServices, TransferReport } from '../../src/actor/messages.ts';
import type { CommandRecord, TransferRecord } from '../../src/log/session-log.ts';
import type { SessionContext } from '../../workers/session/session-context.ts';
import type { ChannelHandler, SshChannel } from '../../workers/ssh/ssh-channel.ts';
import type { ClientMatch, SshSession } from '../../workers/ssh/ssh-types.ts';
import type { VirtualFileSystem } from '../../workers/vfs/types.ts';

export interface FakeSessionOptions {
  readonly vfs: VirtualFileSystem;
  readonly settings?: Partial<Settings>;
  readonly match?: ClientMatch;
  readonly services?: Partial<MainServices>;
}

export interface FakeSession extends SshSession {
  readonly lines: string[];
  readonly commands: CommandRecord[];
  readonly transfers: TransferRecord[];
  readonly reports: TransferReport[];
  /** Transfers that count as running. */
  readonly running: { count: number };
}

export function fakeSshSession(options: FakeSessionOptions): FakeSession {
  const settings: Settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const lines: string[] = [];
  const commands: CommandRecord[] = [];
  const transfers: TransferRecord[] = [];
  const reports: TransferReport[] = [];
  const running = { count: 0 };
  const principal = {
    ...{ address: '127.0.0.1', hostName: '127.0.0.1', className: null },
    ...{ user: 'alice', groups: ['staff'], authenticated: true },
  };
  const config = { settings, principal, limitLevels: [] } as unknown as EffectiveConfig;
  const context = {
    sessionId: 1,
    counters: new BigInt64Array(new SharedArrayBuffer(16)),
    facts: {
      ...{ protocol: 'sftp', user: 'alice', loginName: 'alice', identUser: null, anonymousPassword: null },
      ...{ bytesIn: 0, bytesOut: 0, filesIn: 0, filesOut: 0 },
    },
    log: {
      system: () => undefined,
      tls: () => undefined,
      trace: () => undefined,
      sftp: (text: string) => void lines.push(text),
      transfer: (record: TransferRecord) => void transfers.push(record),
      command: (record: CommandRecord) => void commands.push(record),
    },
    reportsTransfers: true,
    services: {
      reportTransfer: (report: TransferReport) => {
        reports.push(report);
        return Promise.resolve();
      },
      ...options.services,
    },
  } as unknown as SessionContext;
  const account = { user: 'alice', uid: 1000, gid: 1000, groupName: 'staff' };
  return {
    context,
    config,
    settings,
    account: { ...account, groupIds: [1000], groups: ['staff'], home: '/', shell: '/bin/sh' },
    vfs: options.vfs,
    loginName: 'alice',
    client: { softwareVersion: 'Test_1.0', match: options.match ?? {} },
    sftpLog: (text) => void lines.push(text),
    noteTransfer: () => undefined,
    transferStarted: () => void (running.count += 1),
    transferEnded: () => void (running.count -= 1),
    ...{ lines, commands, transfers, reports, running },
  };
}

/** What the peer receives is in `output`; it takes `room` bytes until it is given more. */
export class FakeSshChannel implements SshChannel {
  readonly id: number;
  readonly session: SshSession;
  readonly environment = new Map<string, string>();
  /** Bytes given back to the peer's window. */
  returned = 0;
  sent = 0;
  ended: number | null = null;
  aborted: string | null = null;
  errorText = '';
  /** Called with every piece of output. */
  onOutput: (bytes: Buffer) => void = () => undefined;
  onEnd: () => void = () => undefined;
  #room = Infinity;
  #handler: ChannelHandler | null = null;

  constructor(session: SshSession, id = 0) {
    this.session = session;
    this.id = id;
  }

  get writable(): boolean {
    return this.#room > 0 && this.ended === null;
  }

  /** Output is handed on at once, and this peer copies what it gets. */
  get drained(): boolean {
    return true;
  }

  connect(handler: ChannelHandler): void {
    this.#handler = handler;
  }

  /** How much output the peer takes from now on. */
  setRoom(bytes: number): void {
    const was = this.writable;
    this.#room = bytes;
    if (!was && this.writable) this.#handler?.writable();
  }

  write(...parts: readonly Buffer[]): void {
    if (this.ended !== null || this.aborted !== null) throw new Error('written after the end');
    for (const part of parts) {
      this.#room -= part.length;
      this.sent += part.length;
      this.onOutput(part);
    }
  }

  writeError(text: string): void {
    this.errorText += text;
  }

  consumed(bytes: number): void {
    this.returned += bytes;
  }

  end(exitStatus: number): void {
    this.ended = exitStatus;
    this.onEnd();
  }

  abort(reason: string): void {
    this.aborted = reason;
    this.onEnd();
  }
}
