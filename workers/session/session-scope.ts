/**
 * Which session a piece of asynchronous code belongs to. An exception that nobody catches in a worker thread arrives
 * without any sign of its session; AsyncLocalStorage carries the sign through timers, promises and events.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';

/** What an uncaught error of this session is handed to. */
export interface SessionScope {
  fail(error: unknown): void;
}

const storage = new AsyncLocalStorage<SessionScope>();

export function runInSession<T>(scope: SessionScope, action: () => T): T {
  return storage.run(scope, action);
}

/** The session whose code runs now, or null outside of any. */
export function currentSession(): SessionScope | null {
  return storage.getStore() ?? null;
}

/**
 * A transferred socket was created by the port's message event, outside of the session, and its events would run there.
 * From now on they run inside. Sockets that the session opens itself need no such help.
 */
export function adoptSocket(scope: SessionScope, socket: Socket): void {
  const emit = socket.emit.bind(socket) as (...args: unknown[]) => boolean;
  socket.emit = (...args: unknown[]) =>
    storage.run(scope, () => {
      try {
        return emit(...args);
      } catch (error) {
        // Uncaught, it would reach the thread's handler after this scope has ended.
        scope.fail(error);
        return true;
      }
    });
}
