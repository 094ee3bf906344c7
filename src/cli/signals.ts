/** What the signals mean to the server process. */
import type { MainActor } from '../main/main-actor.ts';

/** SIGTERM has to end everything within two seconds; transfers get the first of them. */
const STOP_GRACE_MS = 1_000;

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGABRT'] as const;
const SIGNAL_NUMBERS = { SIGTERM: 15, SIGINT: 2, SIGABRT: 6 } as const;

/**
 * SIGTERM, SIGINT and SIGABRT stop, SIGHUP reloads. SIGUSR1 and SIGUSR2 do nothing: left alone, the one would open
 * Node's debugger port and the other would end the process. `stopped` runs when the server has stopped.
 */
export function handleSignals(actor: MainActor, stopped: (exitCode: number) => void): void {
  let stopping = false;
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      actor.log.daemon('notice', `ProFTPD killed (signal ${SIGNAL_NUMBERS[signal]})`);
      stopActor(actor, STOP_GRACE_MS, stopped, 0);
    });
  }
  process.on('SIGHUP', () => {
    // A new configuration that is wrong has been logged; the old one serves on.
    actor.reload().catch(() => undefined);
  });
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => actor.log.daemon('notice', `received ${signal} -- no action`));
  }
  // Main decides logins for everybody: with its state in doubt it ends, and whoever supervises it starts a clean one.
  process.on('uncaughtException', (error) => {
    actor.log.failure('Fatal: uncaught error in the main actor, the server stops', error);
    stopActor(actor, 0, stopped, 1);
  });
}

function stopActor(
  actor: MainActor,
  graceMs: number,
  stopped: (exitCode: number) => void,
  exitCode: number,
): void {
  actor.stop(graceMs).then(
    () => stopped(exitCode),
    (error: unknown) => {
      actor.log.failure('the server could not stop cleanly', error);
      stopped(1);
    },
  );
}
