/** Daemon mode, server's side: says that it is ready and lets go of the caller's terminal. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { ASKING_MESSAGE, READY_DESCRIPTOR, READY_MESSAGE } from './daemonize.ts';

/** A person is asked for a pass phrase: the waiting parent must be patient. */
export function reportQuestion(): void {
  writeSync(READY_DESCRIPTOR, ASKING_MESSAGE);
}

/**
 * The server accepts connections: the waiting parent may return. Standard input, output and error become /dev/null, so
 * that a caller reading a pipe sees its end and a later line cannot fail.
 */
export async function reportReady(): Promise<void> {
  // A pass phrase may have been read from the terminal; its own descriptor is let go of as well.
  if (isatty(0)) process.stdin.destroy();
  await pointToNull([0, 1, 2]);
  writeSync(READY_DESCRIPTOR, READY_MESSAGE);
  closeSync(READY_DESCRIPTOR);
}

/** The descriptors become /dev/null. */
export async function pointToNull(descriptors: readonly number[]): Promise<void> {
  const { default: ffi } = await import('node:ffi');
  const { dup2 } = ffi.dlopen(null, { dup2: { arguments: ['i32', 'i32'], return: 'i32' } }).functions;
  const nowhere = openSync('/dev/null', 'r+');
  for (const descriptor of descriptors) dup2(nowhere, descriptor);
  closeSync(nowhere);
}
