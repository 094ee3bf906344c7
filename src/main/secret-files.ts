/** Certificates and keys, read by main while it may still read them; workers get the bytes with the configuration. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { configFiles } from '../config/config-files.ts';
import type { ServerConfig } from '../config/server-config.ts';

/** Larger than any certificate bundle; keeps a mistaken path from filling memory. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Bits of a mode that let everybody read or write. */
const OTHERS_ACCESS = 0o006;

export interface SecretFileContents {
  /** Path -> bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path -> why it could not be read; the TLS check behind it names the directive. */
  readonly failures: ReadonlyMap<string, string>;
}

/** Every TLS file a configuration names. */
export function readSecretFiles(config: ServerConfig): SecretFileContents {
  const { tls, tlsDirectories, preSharedKeys } = configFiles(config);
  const keys = new Set(preSharedKeys);
  const files = new Map<string, Uint8Array>();
  const failures = new Map<string, string>();
  const attempt = (path: string, read: () => void): void => {
    try {
      read();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      failures.set(path, REASONS[code] ?? code);
    }
  };
  const readInto = (path: string): void =>
    attempt(path, () => {
      const stats = statSync(path);
      if (keys.has(path) && (stats.mode & OTHERS_ACCESS) !== 0)
        failures.set(path, 'File is accessible to others');
      else if (stats.isFile() && stats.size <= MAX_BYTES) files.set(path, readFileSync(path));
      else failures.set(path, stats.isFile() ? 'File too large' : 'Not a regular file');
    });
  for (const path of tls) readInto(path);
  for (const directory of tlsDirectories) {
    attempt(directory, () => {
      for (const name of readdirSync(directory)) readInto(join(directory, name));
    });
  }
  return { files, failures };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  ENOTDIR: 'Not a directory',
};
