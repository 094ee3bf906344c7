/**
 * Daemon mode, parent's side: starts the server in a session of its own and returns when it accepts connections. What
 * the server says until then goes to the caller's standard error.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { DAEMON_CHILD_FLAG, type RunFlags } from './command-line.ts';

/** Written by the server on descriptor 3; anything else before the pipe's end is a failed start. */
export const READY_MESSAGE = 'ready\n';
/** Before it, any number of these: the server asks for a pass phrase and waits for a person. */
export const ASKING_MESSAGE = 'asking\n';
export const READY_DESCRIPTOR = 3;

/** Reading keys, binding and starting the workers takes well under a second; a start that hangs is a failed one. */
const START_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 300_000;

/** Resolves with the exit code for the caller: 0 once the server accepts connections. */
export function startDaemon(flags: RunFlags, argv: readonly string[]): Promise<number> {
  const program = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
  );
  const child = spawn(process.execPath, [...process.execArgv, program, DAEMON_CHILD_FLAG, ...argv], {
    detached: true,
    // Only a terminal is of use to the server: it may have to ask for a pass phrase.
    stdio: [isatty(0) ? 'inherit' : 'ignore', flags.quiet ? 'ignore' : 'inherit', 'pipe', 'pipe'],
  });
  const errors = child.stderr!;
  const ready = child.stdio[READY_DESCRIPTOR] as Readable;
  return new Promise((resolve) => {
    let message = '';
    let open = 2;
    const giveUpAfter = (milliseconds: number): NodeJS.Timeout =>
      setTimeout(() => {
        process.stderr.write(`lockgate: the server was not ready within ${milliseconds / 1000} seconds\n`);
        child.kill('SIGKILL');
      }, milliseconds);
    let timer = giveUpAfter(START_TIMEOUT_MS);
    const finish = (code: number): void => {
      clearTimeout(timer);
      child.unref();
      resolve(code);
    };
    // Both pipes end when the server lets go of them, so that every warning of the start has been passed on.
    const closed = (): void => {
      open -= 1;
      if (open === 0 && message === READY_MESSAGE) finish(0);
    };
    errors.on('data', (chunk: Buffer) => process.stderr.write(chunk));
    errors.on('end', closed);
    ready.setEncoding('latin1');
    ready.on('data', (chunk: string) => {
      message += chunk;
      while (message.startsWith(ASKING_MESSAGE)) {
        message = message.slice(ASKING_MESSAGE.length);
        clearTimeout(timer);
        timer = giveUpAfter(ANSWER_TIMEOUT_MS);
      }
    });
    ready.on('end', closed);
    child.on('error', (error) => {
      process.stderr.write(`lockgate: unable to start the server: ${error.message}\n`);
      finish(1);
    });
    // 'close' comes after the last byte of standard error: the reason is complete.
    child.on('close', (code) => {
      if (message !== READY_MESSAGE) finish(code === null || code === 0 ? 1 : code);
    });
  });
}
