/** One file moved over SSH, for everybody who counts or logs it: counters, TransferLog, ExtendedLog, events, limits. */
import { applicableValues } from '../../src/config/name-expression.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import type { LimitWithMessage, Settings } from '../../src/config/server-config.ts';
import type { SessionContext } from '../session/session-context.ts';
import { rateLimiterFor, type RateLimiter } from './rate-limit.ts';
import { transferRecord } from './transfer-record.ts';

/** What a transfer needs of its session. */
export interface TransferringSession {
  readonly context: SessionContext;
  readonly config: EffectiveConfig;
  noteTransfer(): void;
  transferStarted(): void;
  transferEnded(): void;
}

export interface TransferFile {
  readonly direction: 'upload' | 'download';
  readonly service: 'sftp' | 'scp';
  /** As the client sees it. */
  readonly clientPath: string;
  readonly realPath: string;
  /** FTP's name of what happens: ExtendedLog and limits know transfers by it. */
  readonly verb: 'RETR' | 'STOR' | 'APPE';
  /** An upload changes a file that was there before. */
  readonly replaces: boolean;
}

export type TransferEnd =
  | { readonly kind: 'completed' }
  /** `reason` is the operator's, in the log. */
  | { readonly kind: 'failed' | 'cancelled' | 'timeout'; readonly reason: string };

/** Counts from construction to `end`; `end` writes the logs once. */
export class SessionTransfer {
  /** Payload bytes so far. */
  bytes = 0;
  readonly #session: TransferringSession;
  readonly #file: TransferFile;
  readonly #receivedAt = new Date();
  readonly #startedAt = performance.now();
  #ended = false;

  constructor(session: TransferringSession, file: TransferFile) {
    this.#session = session;
    this.#file = file;
    session.transferStarted();
    session.noteTransfer();
  }

  /** `bytes` more of the file went through. */
  count(bytes: number): void {
    const { facts, counters } = this.#session.context;
    this.bytes += bytes;
    if (this.#file.direction === 'upload') {
      facts.bytesIn += bytes;
      Atomics.add(counters, 0, BigInt(bytes));
    } else {
      facts.bytesOut += bytes;
      Atomics.add(counters, 1, BigInt(bytes));
    }
  }

  /** Writes all logs of the transfer; later calls do nothing. */
  end(end: TransferEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#session.transferEnded();
    this.#session.noteTransfer();
    const { context } = this.#session;
    const { facts, log } = context;
    const { direction, realPath, clientPath, verb, service } = this.#file;
    const completed = end.kind === 'completed';
    const milliseconds = performance.now() - this.#startedAt;
    if (completed && direction === 'upload') facts.filesIn += 1;
    else if (completed) facts.filesOut += 1;
    const finished = { direction, realPath, bytes: this.bytes, milliseconds, ascii: false, completed };
    log.transfer({ ...transferRecord({ ...finished, anonymous: false }, facts), service });
    if (!completed) {
      const user = facts.user ?? facts.loginName ?? '-';
      log.system('notice', `notice: user ${user}: aborting transfer: ${end.reason}`);
    }
    log.command({
      verb,
      argument: clientPath,
      classes: [direction === 'upload' ? 'WRITE' : 'READ'],
      replyCode: completed ? 226 : 451,
      replyText: completed ? 'Transfer complete' : `Transfer aborted: ${end.reason}`,
      receivedAt: this.#receivedAt,
      milliseconds,
      realPath,
      clientPath,
      renameFrom: null,
      ...(service === 'scp' ? { protocol: service } : {}),
      transfer: {
        bytes: this.bytes,
        milliseconds,
        status: end.kind === 'completed' ? 'success' : end.kind,
        failure: end.kind === 'completed' ? null : end.reason,
        ascii: false,
        port: facts.localPort,
        offset: 0,
        fileSize: null,
        fileModified: this.#file.replaces,
      },
    });
    this.#report(completed, milliseconds);
  }

  #report(completed: boolean, milliseconds: number): void {
    const { context } = this.#session;
    if (!context.reportsTransfers) return;
    const { direction, clientPath: path } = this.#file;
    const user = context.facts.user ?? '';
    const report = {
      sessionId: context.sessionId,
      user,
      direction,
      path,
      bytes: this.bytes,
      milliseconds,
      completed,
    };
    // An embedder's event must not delay the client; a main that is gone ends the session by other means.
    context.services.reportTransfer(report).catch((error: unknown) => {
      const reason = error instanceof Error ? error.name : 'error';
      context.log.system('warn', `unable to report a transfer to the main actor: ${reason}`);
    });
  }
}

/** MaxStoreFileSize in bytes (null: none) and TransferRate for one command. */
export function transferBounds(
  session: TransferringSession,
  settings: Settings,
  verb: string,
): { readonly maxBytes: number | null; readonly rate: RateLimiter | null } {
  const { principal } = session.config;
  const [limit] = applicableValues(settings.maxStoreFileSize, principal);
  const limited = limit !== undefined && limit > 0 && Number.isFinite(limit);
  const rates = settings.transferRate.length === 0 ? [] : applicableValues(settings.transferRate, principal);
  return {
    maxBytes: limited ? limit : null,
    rate: rateLimiterFor(rates, verb, settings.transferBufferSize),
  };
}

export type TransferPermit =
  | { readonly ok: true; readonly release: () => Promise<void> }
  | { readonly ok: false; readonly text: string };

type TransferLimits = readonly (LimitWithMessage & { readonly commands: readonly string[] })[];

const UNCOUNTED: TransferPermit = { ok: true, release: () => Promise.resolve() };

/** MaxTransfersPerHost and MaxTransfersPerUser: main counts, and is asked only where one of them is set. */
export async function transferPermit(
  session: TransferringSession,
  settings: Settings,
  verb: string,
): Promise<TransferPermit> {
  const find = (limits: TransferLimits): TransferLimits[number] | null =>
    limits.find((limit) => limit.count > 0 && limit.commands.includes(verb)) ?? null;
  const host = find(settings.maxTransfersPerHost);
  const user = find(settings.maxTransfersPerUser);
  if (host === null && user === null) return UNCOUNTED;
  const { services } = session.context;
  const answer = await services.beginTransfer({
    command: verb,
    perHost: host?.count ?? 0,
    perUser: user?.count ?? 0,
    ...(host === null ? {} : { hostCommands: host.commands }),
    ...(user === null ? {} : { userCommands: user.commands }),
  });
  if (answer === 'ok') return { ok: true, release: () => services.endTransfer() };
  const limit = answer === 'host-limit' ? host : user;
  const count = limit?.count ?? 0;
  const whose = answer === 'host-limit' ? 'your host' : 'this user';
  return {
    ok: false,
    text:
      limit?.message?.replaceAll('%m', String(count)) ??
      `Sorry, the maximum number of data transfers (${count}) from ${whose} are currently being used.`,
  };
}
