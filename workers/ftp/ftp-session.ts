/**
 * One FTP session: the serial command loop, and how it ends. Its state stands in session-state.ts, policy in the
 * command rows and gates.ts, bytes in control-connection.ts, the login dialogue in login.ts.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EndReason } from '../../src/actor/messages.ts';
import { fullCommand } from '../../src/log/log-format.ts';
import { setSocketSizes } from '../../src/util/socket-options.ts';
import type { ProtocolSession, SessionContext } from '../session/session-context.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { ControlInput } from './command-queue.ts';
import { CommandRate } from './command-rate.ts';
import type { FtpCommand } from './command.ts';
import { passGates, type ReceivedCommand } from './gates.ts';
import { greeting } from './greeting.ts';
import { keepAlive } from '../transfer/keep-alive.ts';
import { receiveCopies } from '../transfer/receive-into.ts';
import { replyForFsError } from './reply-for-error.ts';
import { lastReply, noteEnd, type Outcome } from './session-end.ts';
import { noDetails, SessionState } from './session-state.ts';
import { timeoutDirectives, timeoutReply, type TimeoutKind } from './timers.ts';
import { foreignProtocol, loggedVerb } from './wire/command-line.ts';
import { reply, type Reply } from './wire/reply.ts';

/** CommandBufferSize: an over-long line costs the client this long, and the fourth in a row the session. */
const OVERLONG_DELAY_MS = 250;
const OVERLONG_LIMIT = 4;
/** Commands that overtake one transfer and wait for its reply; more of them stay in the queue. */
const URGENT_LIMIT = 16;
/** How long an aborted transfer may take to say its 426 before the session ends without it. */
const ABORT_TIMEOUT_MS = 5_000;
/** From the decision to end until the connections are cut, whatever a command still waits for; the above included. */
const END_TIMEOUT_MS = 10_000;
/** The same once the last words are on their way. */
const PARTING_MS = 2_000;

/** Work on pipelined commands between two turns of the event loop. */
const TURN_MS = 5;

const GARBAGE_REPLY = reply(500, 'Invalid command: try being more creative');

/** FTP on one accepted socket; `run` greets, serves and closes it. */
export function createFtpSession(context: SessionContext): ProtocolSession {
  return new FtpProtocolSession(context);
}

class FtpProtocolSession extends SessionState implements ProtocolSession {
  #rate = new CommandRate();
  #overlongLines = 0;
  #servedAny = false;
  /** The command of the serial queue that runs. */
  #serving: Promise<void> | null = null;
  /** Commands that passed it (ABOR, QUIT, STAT) and are not answered yet: nothing but running ones stands in it. */
  readonly #urgent = new Set<Promise<void>>();
  /** The one of them that is at work; null while they only wait for the transfer's own reply. */
  #urgentAtWork: ReceivedCommand | null = null;
  #endAfterReply: Outcome | null = null;
  #outcome: Outcome | null = null;
  /** After the last words nothing is sent any more. */
  #muted = false;
  #lastWords: Promise<void> | null = null;
  #drain: { readonly text: string } | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  #cutTimer: NodeJS.Timeout | null = null;
  #cutSleep: (() => void) | null = null;
  #bug: { readonly error: unknown } | null = null;

  override reply(value: Reply): Promise<boolean> {
    if (this.#muted) return Promise.resolve(false);
    this.context.log.trace(
      'response',
      7,
      () => `sending response '${value.code} ${withoutPassword(value.text)}'`,
    );
    return this.control.send(value);
  }

  override end(reason: 'quit' | 'protocol-error' | 'policy' | 'timeout', detail: string | null = null): void {
    this.#endAfterReply ??= { reason, detail };
    if (this.#serving === null) this.#finish(this.#endAfterReply);
  }

  async run(): Promise<Outcome> {
    try {
      await this.#serveAll();
      await this.#lastWords;
    } finally {
      this.#release();
    }
    if (this.#bug !== null) throw this.#bug.error;
    await this.control.close();
    return this.#outcome ?? { reason: 'peer-closed', detail: null };
  }

  drain(text: string, graceMs: number): void {
    this.#drain = { text };
    if (this.#serving === null)
      this.#sayAndEnd(lastReply(text), { reason: 'shutdown', detail: null }, 'shutdown');
    else this.#graceTimer ??= setTimeout(() => this.disconnect(text, 'shutdown'), graceMs);
  }

  disconnect(text: string, reason: EndReason): void {
    this.#sayAndEnd(lastReply(text), { reason, detail: null }, 'shutdown');
  }

  fail(text: string): void {
    if (!this.#muted) {
      this.#muted = true;
      void this.control.send(lastReply(text));
    }
    this.#finish({ reason: 'error', detail: null });
    this.#dropTransfer();
    this.control.close().catch(() => this.control.destroy());
  }

  async #serveAll(): Promise<void> {
    const { settings, socket } = { settings: this.settings, socket: this.context.socket };
    receiveCopies(socket);
    socket.setNoDelay(settings.tcpNoDelay);
    keepAlive(socket, settings.socketOptions);
    setSocketSizes(socket, settings.socketOptions);
    this.applyEnvironment();
    this.timers.connected(settings.timeoutLogin, settings.timeoutIdle);
    if (settings.tlsEngine && settings.tlsOptions.includes('UseImplicitSSL')) {
      if (!(await this.protection.acceptImplicit())) {
        this.#finish({ reason: 'protocol-error', detail: 'TLS handshake failed' });
        return;
      }
    } else {
      this.control.attach(socket);
    }
    await this.reply(await greeting(this));
    let turnStart = performance.now();
    while (this.#outcome === null) {
      // Between commands that wait in memory nothing is awaited but promises, which let no other session have its turn.
      if (performance.now() - turnStart > TURN_MS) {
        await nextTurn();
        turnStart = performance.now();
        continue;
      }
      const input = this.control.next();
      if (input !== null) {
        this.#serving = this.#serve(input);
        await this.#serving;
        this.#serving = null;
        // An ABOR or QUIT that passed the command answers before the next one is taken.
        while (this.#urgent.size > 0) await Promise.all(this.#urgent);
        if (this.#drain !== null) this.drain(this.#drain.text, 0);
      } else if (this.control.ended) {
        this.#finish({ reason: 'peer-closed', detail: null });
      } else {
        await this.control.activity();
        turnStart = performance.now();
      }
    }
  }

  async #serve(input: ControlInput): Promise<void> {
    try {
      this.timers.commandReceived();
      if (input.kind === 'overlong') return await this.#refuseOverlong();
      this.#overlongLines = 0;
      const limit = this.settings.maxCommandRate;
      const delay = limit === null ? 0 : this.#rate.delay(limit, Date.now());
      if (delay > 0) await this.#sleep(delay);
      if (input.kind === 'garbage') await this.reply(GARBAGE_REPLY);
      else if (await this.#refusesForeign(input.verb)) return;
      else await this.#execute(input, null);
    } catch (error) {
      this.#crash(error);
    }
  }

  /** `overtaken`: the command this one passes; its reply comes first, unless this one only informs (STAT). */
  async #execute(received: ReceivedCommand, overtaken: Promise<void> | null): Promise<void> {
    this.#servedAny = true;
    const receivedAt = new Date();
    const startedAt = performance.now();
    const details = noDetails();
    const running = this.logged;
    this.logged = details;
    const gate = passGates(this, received);
    this.context.log.trace(
      'command',
      7,
      () => `${gate.kind === 'run' ? 'running' : 'refusing'} '${tracedCommand(gate.command, received)}'`,
    );
    const answering = gate.kind === 'run' ? this.#run(gate.command, received) : gate.reply;
    if (overtaken !== null) this.logged = running;
    const answer = answering instanceof Promise ? await answering : answering;
    if (overtaken !== null && answer.code !== 211 && answer.code !== 213) {
      // Only waiting from here on: an ABOR behind it, or the end of the connection, must not wait too.
      if (this.#urgentAtWork === received) this.#urgentAtWork = null;
      // Later, when this one is counted: a refusal comes here in the turn in which it was taken from the queue.
      queueMicrotask(() => this.noteActivity());
      await overtaken;
    }
    await this.reply(answer);
    this.countControlBytes();
    const verb = gate.command === null ? loggedVerb(received.verb) : received.verb;
    this.context.log.command({
      verb,
      argument: received.argument,
      classes: gate.command?.logClasses ?? [],
      replyCode: answer.code,
      replyText: answer.text.replace(received.verb, verb),
      receivedAt,
      milliseconds: performance.now() - startedAt,
      ...details,
    });
    if (answer.after !== undefined) await answer.after();
    if (this.#endAfterReply !== null) this.#finish(this.#endAfterReply);
    else if (answer.close === true)
      this.#finish({ reason: answer.code === 221 ? 'quit' : 'policy', detail: null });
  }

  #run(command: FtpCommand, received: ReceivedCommand): Reply | Promise<Reply> {
    try {
      const answer = command.run(this, received.argument);
      return answer instanceof Promise
        ? answer.catch((error: unknown) => this.#replyFor(error, received))
        : answer;
    } catch (error) {
      return this.#replyFor(error, received);
    }
  }

  #replyFor(error: unknown, received: ReceivedCommand): Reply {
    if (error instanceof FsError) return replyForFsError(error, received.argument, received.verb);
    throw error;
  }

  protected override noteActivity(): void {
    const transfer = this.activeTransfer;
    if (transfer === null || this.#urgentAtWork !== null || this.#outcome !== null) return;
    const input =
      this.#urgent.size < URGENT_LIMIT
        ? this.control.takeFirst((candidate) => this.#passesTransfers(candidate))
        : null;
    if (input?.kind === 'command') {
      this.#urgentAtWork = input;
      const execution = this.#executeUrgent(input);
      this.#urgent.add(execution);
      void execution.then(() => {
        this.#urgent.delete(execution);
        this.noteActivity();
      });
    } else if (this.control.ended) {
      // RFC 959, section 4.1.1 (QUIT): an unexpected close acts as ABOR and QUIT do.
      transfer.abort('quit').catch((error: unknown) => this.#crash(error));
    }
  }

  async #executeUrgent(input: ReceivedCommand): Promise<void> {
    try {
      await this.#execute(input, this.#serving);
    } catch (error) {
      this.#crash(error);
    } finally {
      if (this.#urgentAtWork === input) this.#urgentAtWork = null;
    }
  }

  #passesTransfers(input: ControlInput): boolean {
    return input.kind === 'command' && this.commands.get(input.verb)?.duringTransfer === true;
  }

  async #refuseOverlong(): Promise<void> {
    this.#overlongLines += 1;
    await this.#sleep(OVERLONG_DELAY_MS);
    if (this.#overlongLines < OVERLONG_LIMIT) return;
    this.context.log.system('notice', 'client sent too many over-long command lines, disconnecting');
    this.#finish({ reason: 'protocol-error', detail: 'over-long command lines' });
  }

  async #refusesForeign(verb: string): Promise<boolean> {
    if (this.#servedAny) return false;
    const protocol = foreignProtocol(verb);
    if (protocol === null) return false;
    // A person reads it, who then sees that this port speaks no SSH; a browser would take an answer for a page.
    if (protocol === 'SSH2') await this.reply(reply(500, `${verb} not understood`));
    this.context.log.system('warn', `client sent ${protocol} command '${verb}', disconnecting`);
    this.#muted = true;
    this.#finish({ reason: 'protocol-error', detail: `${protocol} command` });
    return true;
  }

  protected override timedOut(kind: TimeoutKind, seconds: number): void {
    const outcome = { reason: 'timeout', detail: timeoutDirectives[kind] } as const;
    this.context.log.trace('timer', 4, () => `${timeoutDirectives[kind]} ran out after ${seconds} seconds`);
    this.#sayAndEnd(timeoutReply(kind, seconds), outcome, 'timeout');
  }

  #sayAndEnd(words: Reply, outcome: Outcome, cause: 'shutdown' | 'timeout'): void {
    if (this.#outcome !== null) return;
    this.#setOutcome(outcome);
    this.#lastWords = this.#say(words, cause).catch((error: unknown) => {
      this.#bug ??= { error };
    });
    void this.#lastWords.then(() => {
      this.#cutIn(PARTING_MS);
      this.#wake();
    });
  }

  /** A running transfer says its own 426 first; any other command's reply gives way to the last words. */
  async #say(words: Reply, cause: 'shutdown' | 'timeout'): Promise<void> {
    const transfer = this.activeTransfer;
    if (transfer !== null) {
      await Promise.race([transfer.abort(cause), this.#sleep(ABORT_TIMEOUT_MS)]);
      this.#cutSleep?.();
    }
    const sent = this.reply(words);
    this.#muted = true;
    await sent;
  }

  #finish(outcome: Outcome): void {
    if (this.#outcome === null) this.#setOutcome(outcome);
    this.#wake();
  }

  #setOutcome(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#cutIn(END_TIMEOUT_MS);
    noteEnd(this.context, outcome);
  }

  /**
   * The loop ends behind the command that runs, and that may wait for the peer: for a TLS handshake, for a data
   * connection, for a client that reads nothing. Without its sockets it has nothing to wait for.
   */
  #cutIn(milliseconds: number): void {
    if (this.#cutTimer !== null) clearTimeout(this.#cutTimer);
    this.#cutTimer = setTimeout(() => {
      this.context.log.trace('timer', 3, () => 'the session does not end by itself, its connections are cut');
      this.data.close();
      this.control.destroy();
    }, milliseconds);
  }

  #wake(): void {
    this.#cutSleep?.();
    this.control.wake();
  }

  #crash(error: unknown): void {
    this.#bug ??= { error };
    this.#finish({ reason: 'error', detail: null });
    this.#dropTransfer();
  }

  /** After a bug nothing may keep the session: where the transfer does not end by itself, its connection is taken away. */
  #dropTransfer(): void {
    this.activeTransfer?.abort('shutdown').catch(() => this.data.close());
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds);
      this.#cutSleep = done;
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
    });
  }

  #release(): void {
    this.timers.stop();
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    if (this.#cutTimer !== null) clearTimeout(this.#cutTimer);
    this.data.close();
    this.protection.close();
    if (this.login.kind === 'logged-in') this.login.vfs.close();
    this.countControlBytes();
  }
}

/** A reply repeats an unknown verb, and `PASSsecret` is one. */
function withoutPassword(text: string): string {
  return text.replace(/^PASS\S+/, 'PASS');
}

function tracedCommand(command: FtpCommand | null, { verb, argument }: ReceivedCommand): string {
  const known = command === null ? loggedVerb(verb) : verb;
  return fullCommand({ verb: known, argument, classes: command?.logClasses ?? [] });
}
