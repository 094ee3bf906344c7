/** `.ftpaccess` lookup of one session: read through the jail with the session's own rights, parsed once per version. */
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import type { Finding } from '../../src/config/diagnostics.ts';
import { parseFtpAccess } from '../../src/config/ftp-access.ts';
import type { LimitSection, Scope } from '../../src/config/server-config.ts';
import { decodePathBytes } from '../../src/util/path-text.ts';
import { errnoOf } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import { openSync } from './path-calls.ts';
import type { RootJail } from './root-jail.ts';
import { belowRoot } from './virtual-path.ts';

const FILE_NAME = '.ftpaccess';
const MAX_BYTES = 64 * 1024;
const CACHE_LIMIT = 256;

interface CachedScope {
  /** Device, inode, size and times: a new version of the file has another. */
  readonly version: string;
  readonly scope: Scope;
}

export interface FtpAccessFiles {
  /** The scope of a real directory, null where there is no file or the directory lies above the root. */
  lookUp(realDirectory: string): Scope | null;
}

/** A file that cannot be read or parsed denies everything in its directory, and `warn` says why. */
export function createFtpAccessFiles(
  jail: RootJail,
  defines: readonly string[],
  warn: (text: string) => void,
): FtpAccessFiles {
  const cache = new Map<string, CachedScope>();

  function remember(directory: string, version: string, scope: Scope): Scope {
    if (cache.size >= CACHE_LIMIT) {
      const oldest = cache.keys().next();
      if (oldest.done !== true) cache.delete(oldest.value);
    }
    cache.set(directory, { version, scope });
    return scope;
  }

  function load(realDirectory: string, relative: string): Scope | null {
    const pinned = jail.pinIfThere(relative === '' ? FILE_NAME : `${relative}/${FILE_NAME}`);
    if (pinned === null) return null;
    try {
      const { stats } = pinned;
      const version = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
      const cached = cache.get(realDirectory);
      if (cached?.version === version) return cached.scope;
      const file = `${realDirectory === '/' ? '' : realDirectory}/${FILE_NAME}`;
      return remember(realDirectory, version, readScope(pinned.path, file, stats.isFile()));
    } finally {
      pinned.close();
    }
  }

  function readScope(path: string, file: string, isRegular: boolean): Scope {
    try {
      if (!isRegular) throw new FsError('not-regular', { detail: 'not a regular file' });
      const { scope, findings } = parseFtpAccess(readWhole(path), file, defines);
      for (const finding of findings) warn(`${file}: ${describe(finding)}`);
      return scope;
    } catch (error) {
      warn(
        `${file} denies all access, it cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      );
      return denyEverything(file);
    }
  }

  /** A link in a circle, for example, is not a directory whose .ftpaccess could not be opened. */
  function isDirectory(relative: string): boolean {
    try {
      using pinned = jail.pin(relative, true);
      return pinned.stats.isDirectory();
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  return {
    lookUp(realDirectory) {
      const directory = belowRoot(jail.root, realDirectory);
      if (directory === null) return null;
      try {
        return load(realDirectory, directory.slice(1));
      } catch (error) {
        const errno = errnoOf(error);
        // A directory this user may not enter: then the operation itself fails as well.
        if (errno === 'EACCES') return null;
        if (!isDirectory(directory.slice(1))) return null;
        const file = `${realDirectory}/${FILE_NAME}`;
        warn(`${file} denies all access, it cannot be opened: ${errno ?? 'unknown error'}`);
        return denyEverything(file);
      }
    },
  };
}

function describe(finding: Finding): string {
  const subject = finding.directive === null ? '' : `${finding.directive}: `;
  const place = finding.line === null ? '' : ` on line ${finding.line}`;
  return `${subject}${finding.because}${place}`;
}

function readWhole(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    if (fstatSync(descriptor).size > MAX_BYTES)
      throw new FsError('file-too-large', { detail: 'larger than 64 KiB' });
    const bytes = Buffer.alloc(MAX_BYTES);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, bytes, length, MAX_BYTES - length, length);
      if (count === 0) return decodePathBytes(bytes.subarray(0, length));
      length += count;
    }
  } finally {
    closeSync(descriptor);
  }
}

function denyEverything(file: string): Scope {
  const nobody: LimitSection = {
    commands: ['ALL'],
    order: 'deny,allow',
    allowAll: false,
    denyAll: true,
    allowFrom: [],
    denyFrom: [],
    allowUser: [],
    denyUser: [],
    allowGroup: [],
    denyGroup: [],
    allowClass: [],
    denyClass: [],
    ignoreHidden: false,
    location: { file, line: 0 },
  };
  return { settings: {}, limits: [nobody], directories: [] };
}
