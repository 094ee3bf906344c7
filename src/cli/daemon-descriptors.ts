/** Daemon mode, server's side: says that it is ready and lets go of the caller's terminal. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { READY_DESCRIPTOR, READY_MESSAGE } from './daemonize.ts';

/**
 * The server accepts connections: the waiting parent may return. Standard output and error become /dev/null, so that a
 * caller reading a pipe sees its end and a later line cannot fail.
 */
export async function reportReady(): Promise<void> {
  const { default: ffi } = await import('node:ffi');
  const { dup2 } = ffi.dlopen(null, { dup2: { arguments: ['i32', 'i32'], return: 'i32' } }).functions;
  const nowhere = openSync('/dev/null', 'r+');
  for (const descriptor of [1, 2]) dup2(nowhere, descriptor);
  closeSync(nowhere);
  writeSync(READY_DESCRIPTOR, READY_MESSAGE);
  closeSync(READY_DESCRIPTOR);
}
