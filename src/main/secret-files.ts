/** Certificates and keys, read by main while it may still read them; workers get the bytes with the configuration. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { configFiles } from '../config/config-files.ts';
import type { ServerConfig } from '../config/server-config.ts';

/** Larger than any certificate bundle; keeps a mistaken path from filling memory. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Path -> bytes of every TLS file a configuration names. A file that cannot be read is left out: the TLS check behind
 * it names the directive and the reason.
 */
export function readSecretFiles(config: ServerConfig): ReadonlyMap<string, Uint8Array> {
  const { tls, tlsDirectories } = configFiles(config);
  const files = new Map<string, Uint8Array>();
  for (const path of [...tls, ...tlsDirectories.flatMap(filesIn)]) {
    const bytes = readIfPossible(path);
    if (bytes !== null) files.set(path, bytes);
  }
  return files;
}

function filesIn(directory: string): string[] {
  return ifPossible(() => readdirSync(directory).map((name) => join(directory, name))) ?? [];
}

function readIfPossible(path: string): Uint8Array | null {
  return ifPossible(() => {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= MAX_BYTES ? readFileSync(path) : null;
  });
}

/** Null for an error of the file system. */
function ifPossible<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}
