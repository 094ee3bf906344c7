/** OCSP responses in a directory (TLSStaplingCache fscache:), so that a restart does not need the responder at once. */
import { readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Responses are public, but the directory belongs to the server alone. */
const FILE_MODE = 0o600;
const MAX_BYTES = 64 * 1024;

/** One file per certificate, named by its SHA-256 fingerprint. */
export class StapleFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The response kept for a certificate; null where there is none that can be read. */
  async read(fingerprint: string): Promise<Uint8Array | null> {
    try {
      const bytes = await readFile(this.#path(fingerprint));
      return bytes.length > MAX_BYTES ? null : bytes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      // No file yet, or one that cannot be read: the responder is asked either way.
      return null;
    }
  }

  /** Keeps a response, whole or not at all. Returns why it could not, or null. */
  async write(fingerprint: string, response: Uint8Array): Promise<string | null> {
    const path = this.#path(fingerprint);
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await writeFile(temporary, response, { mode: FILE_MODE });
      await rename(temporary, path);
      return null;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      // The half-written file may not even exist.
      await unlink(temporary).catch(() => undefined);
      return `'${this.#directory}': ${code}`;
    }
  }

  #path(fingerprint: string): string {
    return join(this.#directory, `${fingerprint.replaceAll(':', '').toLowerCase()}.der`);
  }
}
