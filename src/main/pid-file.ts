/** PidFile: the daemon's process id and a newline, there while the server accepts connections. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { withRootCredentials } from '../util/thread-credentials.ts';
import { PID_FILE_MODE } from './modes.ts';

export interface PidFile {
  /** Removes the file if it is still this process's own. Safe to call twice, and from a process 'exit' handler. */
  remove(): void;
}

/** The file cannot be written; the message is for the operator. */
export class PidFileError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PidFileError';
  }
}

/**
 * Writes the file. Throws PidFileError when the path cannot be written or when another live process
 * holds it.
 */
export function writePidFile(path: string): PidFile {
  const holder = readPid(path);
  if (holder !== null && holder !== process.pid && isAlive(holder)) {
    throw new PidFileError(
      `PidFile '${path}' belongs to the running process ${holder}; is the server running already?`,
    );
  }
  try {
    rmSync(path, { force: true });
    // `wx`: never through a symbolic link that somebody put there meanwhile.
    writeFileSync(path, `${process.pid}\n`, { mode: PID_FILE_MODE, flag: 'wx' });
  } catch (error) {
    throw new PidFileError(
      `unable to write PidFile '${path}': ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
      {
        cause: error,
      },
    );
  }
  return {
    remove() {
      if (readPid(path) !== process.pid) return;
      try {
        // The folder may belong to root, and the server has become `User` since.
        withRootCredentials(() => rmSync(path, { force: true }));
      } catch (error) {
        // RootRevoke on, and the folder is root's: the file stays, the process ends all the same.
        const { code } = error as NodeJS.ErrnoException;
        process.stderr.write(`lockgate: PidFile '${path}' cannot be removed: ${code ?? 'unknown error'}\n`);
      }
    },
  };
}

function readPid(path: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
