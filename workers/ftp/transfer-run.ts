/**
 * One use of the data connection: open it, say 150, protect it, move bytes, close it. RETR, STOR and LIST differ only in
 * their plan. Every way out of here leaves no socket, timer or running file operation behind.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { watchForStall } from '../transfer/stall-watch.ts';
import { TransferError, type TransferFailure } from '../transfer/transfer-error.ts';
import { BYTES_IN, BYTES_OUT, TransferProgress } from '../transfer/transfer-progress.ts';
import { DataConnectionError } from './data-connection.ts';
import { closeDataStream } from './data-linger.ts';
import { DataTlsError, type ActiveTransfer, type FtpSession } from './session-types.ts';
import { reply, type Reply } from './wire/reply.ts';

/** Moves bytes over an open data connection. */
export interface Mover {
  /** Rejects with TransferError when nothing it started is running any more. */
  run(): Promise<void>;
  stop(failure: TransferFailure): void;
}

export interface TransferPlan {
  readonly verb: string;
  readonly direction: ActiveTransfer['direction'];
  readonly clientPath: string;
  readonly totalBytes: number | null;
  /** Text of the 150 reply. */
  readonly opening: string;
  /** Called once the stream is ready. */
  mover(stream: Duplex, progress: TransferProgress): Mover;
}

export type TransferOutcome =
  | { readonly kind: 'completed' }
  /** No data connection: nothing moved; the reply is 425. */
  | { readonly kind: 'unopened'; readonly reply: Reply }
  | { readonly kind: 'failed'; readonly failure: TransferFailure };

/** Step an abort has to interrupt. */
type Phase =
  | { readonly kind: 'opening' }
  | { readonly kind: 'securing'; readonly socket: Socket }
  | { readonly kind: 'moving'; readonly mover: Mover }
  | { readonly kind: 'over' };

/** An abort answers after the aborted command's reply; this long at most if that reply never gets away. */
const ABORT_REPLY_TIMEOUT_MS = 10_000;

export class TransferRun implements ActiveTransfer {
  readonly verb: string;
  readonly direction: ActiveTransfer['direction'];
  readonly clientPath: string;
  readonly totalBytes: number | null;
  readonly progress: TransferProgress;
  /** From performance.now(), when the data connection was ready. */
  startedAt = 0;
  /** Port of the client's side of the data connection; 0 when there was none. */
  dataPort = 0;
  readonly #session: FtpSession;
  readonly #plan: TransferPlan;
  #phase: Phase = { kind: 'opening' };
  #abort: {
    readonly failure: TransferFailure;
    readonly answered: Promise<void>;
    readonly answer: () => void;
  } | null = null;

  constructor(session: FtpSession, plan: TransferPlan) {
    this.verb = plan.verb;
    this.direction = plan.direction;
    this.clientPath = plan.clientPath;
    this.totalBytes = plan.totalBytes;
    this.#session = session;
    this.#plan = plan;
    const index = plan.direction === 'upload' ? BYTES_IN : BYTES_OUT;
    this.progress = new TransferProgress(session.context.counters, index);
  }

  get bytes(): number {
    return this.progress.bytes;
  }

  /** Why the transfer was aborted; null while it was not. */
  get #aborted(): TransferFailure | null {
    return this.#abort?.failure ?? null;
  }

  abort(cause: 'abor' | 'quit' | 'shutdown' | 'timeout'): Promise<void> {
    if (this.#abort !== null) return this.#abort.answered;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ABORT_REPLY_TIMEOUT_MS);
    const answer = (): void => {
      clearTimeout(timer);
      resolve();
    };
    this.#abort = { failure: { kind: 'aborted', by: cause }, answered: promise, answer };
    this.#interrupt(this.#abort.failure);
    return promise;
  }

  /** Runs the plan to its end; never rejects for anything a peer or a disk did. */
  async run(): Promise<TransferOutcome> {
    const session = this.#session;
    session.activeTransfer = this;
    session.noteTransfer();
    try {
      const outcome = await this.#transfer();
      session.context.log.trace(
        'xfer',
        5,
        () => `${this.verb} '${this.clientPath}': ${outcome.kind}, ${this.bytes} bytes`,
      );
      return outcome;
    } finally {
      this.#phase = { kind: 'over' };
      session.activeTransfer = null;
      session.noteTransfer();
    }
  }

  /** The command's final reply; an abort is answered when this one is on its way. */
  finalReply(answer: Reply): Reply {
    const abort = this.#abort;
    if (abort === null) return answer;
    return {
      ...answer,
      after: () => {
        abort.answer();
        return Promise.resolve();
      },
    };
  }

  async #transfer(): Promise<TransferOutcome> {
    const session = this.#session;
    // An ABOR right behind the command: without its preparation, opening would connect to the client's own port.
    if (this.#aborted !== null) return { kind: 'failed', failure: this.#aborted };
    let socket: Socket;
    try {
      socket = await session.data.open();
    } catch (error) {
      if (!(error instanceof DataConnectionError)) throw error;
      if (this.#aborted !== null) return { kind: 'failed', failure: this.#aborted };
      return unopened(error.reason);
    }
    let stream: Duplex = socket;
    try {
      this.dataPort = socket.remotePort ?? 0;
      // Not awaited before the bytes move: replies keep their order among themselves in any case.
      const announced = session.reply(reply(150, this.#plan.opening));
      if (session.protection.dataLevel === 'private') stream = await this.#secure(socket);
      const outcome = await this.#move(stream);
      await announced;
      return outcome;
    } catch (error) {
      if (!(error instanceof DataTlsError)) throw error;
      if (this.#aborted !== null) return { kind: 'failed', failure: this.#aborted };
      return unopened('Operation not permitted');
    } finally {
      session.data.release();
      closeDataStream(session, stream, socket);
    }
  }

  #secure(socket: Socket): Promise<Duplex> {
    this.#phase = { kind: 'securing', socket };
    if (this.#abort !== null) socket.destroy();
    return this.#session.protection.secureData(socket, this.verb);
  }

  async #move(stream: Duplex): Promise<TransferOutcome> {
    const { settings } = this.#session;
    // Errors of the stream arrive as failed writes and as `close`; this keeps Node from raising them again.
    stream.on('error', () => stream.destroy());
    this.startedAt = performance.now();
    const mover = this.#plan.mover(stream, this.progress);
    this.#phase = { kind: 'moving', mover };
    const seconds = settings.timeoutStalled;
    const endWatch = watchForStall(
      seconds,
      () => this.progress.bytes,
      () => mover.stop({ kind: 'stalled', seconds }),
    );
    if (this.#abort !== null) mover.stop(this.#abort.failure);
    try {
      await mover.run();
      return { kind: 'completed' };
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      return { kind: 'failed', failure: error.failure };
    } finally {
      endWatch();
    }
  }

  #interrupt(failure: TransferFailure): void {
    switch (this.#phase.kind) {
      case 'opening':
        this.#session.data.cancel();
        break;
      case 'securing':
        this.#phase.socket.destroy();
        break;
      case 'moving':
        this.#phase.mover.stop(failure);
        break;
      case 'over':
        break;
    }
  }
}

function unopened(reason: string): TransferOutcome {
  return { kind: 'unopened', reply: reply(425, `Unable to build data connection: ${reason}`) };
}
