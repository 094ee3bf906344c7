/** The file of SFTPKeyBlacklist, read when the first key is checked and again when it changes. */
import { readFileSync, statSync } from 'node:fs';
import type { AsRoot } from './account-file-cache.ts';
import { MAX_BLACKLIST_BYTES, parseKeyBlacklist } from './key-blacklist.ts';
import type { KeyBlacklist } from './key-blacklist.ts';

interface Loaded {
  readonly stamp: string;
  /** Null: the file is no blacklist. */
  readonly blacklist: KeyBlacklist | null;
}

export class KeyBlacklistFile {
  readonly #loaded = new Map<string, Loaded>();
  readonly #asRoot: AsRoot;

  constructor(asRoot: AsRoot) {
    this.#asRoot = asRoot;
  }

  /**
   * False where the key is not listed, and where the file cannot be used: that is noted and authentication goes on, as
   * documented.
   * @param md5 fingerprint of the key's blob
   */
  has(path: string, md5: Buffer, note: (text: string) => void): boolean {
    const failed = (reason: string): false => {
      note(`unable to open SFTPKeyBlacklist '${path}': ${reason}`);
      return false;
    };
    try {
      const { blacklist } = this.#load(path);
      return blacklist === null ? failed('not a key blacklist') : blacklist.has(md5);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) throw error;
      return failed(error.code);
    }
  }

  #load(path: string): Loaded {
    const stats = this.#asRoot(() => statSync(path, { bigint: true }));
    const stamp = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
    const known = this.#loaded.get(path);
    if (known !== undefined && known.stamp === stamp) return known;
    const isReadable = stats.isFile() && stats.size <= BigInt(MAX_BLACKLIST_BYTES);
    const blacklist = isReadable ? parseKeyBlacklist(this.#asRoot(() => readFileSync(path))) : null;
    const loaded = { stamp, blacklist };
    this.#loaded.set(path, loaded);
    return loaded;
  }
}
