/**
 * The system calls that take or give a name, as `node:fs` has them, for names of any bytes (src/util/path-text.ts). The
 * file system below this door knows no others: calls on descriptors stay those of `node:fs`.
 */
import * as fs from 'node:fs';
import type { BigIntStatsFs, Dir, Stats, StatsFs } from 'node:fs';
import { decodePathLatin1, encodePathText } from '../../src/util/path-text.ts';
import { errnoOf } from './errno-mapping.ts';

interface NullWhereAbsent {
  readonly throwIfNoEntry: false;
}

export function lstatSync(path: string): Stats;
export function lstatSync(path: string, options: NullWhereAbsent): Stats | undefined;
export function lstatSync(path: string, options?: NullWhereAbsent): Stats | undefined {
  const target = encodePathText(path);
  return options === undefined ? fs.lstatSync(target) : fs.lstatSync(target, options);
}

export function statSync(path: string): Stats;
export function statSync(path: string, options: NullWhereAbsent): Stats | undefined;
export function statSync(path: string, options?: NullWhereAbsent): Stats | undefined {
  const target = encodePathText(path);
  return options === undefined ? fs.statSync(target) : fs.statSync(target, options);
}

export function openSync(path: string, flags: number, mode?: number): number {
  return fs.openSync(encodePathText(path), flags, mode);
}

export function readlinkSync(path: string): string {
  return decodePathLatin1(fs.readlinkSync(encodePathText(path), 'latin1'));
}

/** Absolute, links resolved. Only for systems without `/proc`; Node's own walk keeps a name as it was written. */
export function realpathSync(path: string): string {
  const target = encodePathText(path);
  if (typeof target === 'string') return fs.realpathSync(target);
  return decodePathLatin1(fs.realpathSync.native(target, 'latin1'));
}

export function symlinkSync(target: string, path: string): void {
  fs.symlinkSync(encodePathText(target), encodePathText(path));
}

export function linkSync(from: string, to: string): void {
  fs.linkSync(encodePathText(from), encodePathText(to));
}

export function renameSync(from: string, to: string): void {
  fs.renameSync(encodePathText(from), encodePathText(to));
}

export function unlinkSync(path: string): void {
  fs.unlinkSync(encodePathText(path));
}

export function mkdirSync(path: string, mode: number): void {
  fs.mkdirSync(encodePathText(path), mode);
}

export function rmdirSync(path: string): void {
  fs.rmdirSync(encodePathText(path));
}

export function truncateSync(path: string, size: number): void {
  fs.truncateSync(encodePathText(path), size);
}

export function chmodSync(path: string, mode: number): void {
  fs.chmodSync(encodePathText(path), mode);
}

export function chownSync(path: string, uid: number, gid: number): void {
  fs.chownSync(encodePathText(path), uid, gid);
}

export function lchownSync(path: string, uid: number, gid: number): void {
  fs.lchownSync(encodePathText(path), uid, gid);
}

/** Times as `fs.utimesSync` takes them: Date, or seconds since the epoch. */
export function utimesSync(path: string, accessTime: Date | number, modifyTime: Date | number): void {
  fs.utimesSync(encodePathText(path), accessTime, modifyTime);
}

export function lutimesSync(path: string, accessTime: Date | number, modifyTime: Date | number): void {
  fs.lutimesSync(encodePathText(path), accessTime, modifyTime);
}

export function statfsSync(path: string): StatsFs {
  return fs.statfsSync(encodePathText(path));
}

/** The same with exact numbers, however large the file system. */
export function bigStatfsSync(path: string): BigIntStatsFs {
  return fs.statfsSync(encodePathText(path), { bigint: true });
}

/** Reads the names of a directory one by one, `.` and `..` left out. */
export interface NameReader {
  /** Null at the end. Throws the system's error. */
  readSync(): string | null;
  closeSync(): void;
}

/** @param bufferSize - entries fetched from the kernel at once */
export function opendirSync(path: string, bufferSize: number): NameReader {
  const target = encodePathText(path);
  return new DirectoryNames((encoding) =>
    // Node takes `buffer` here as it does everywhere; its types forgot it.
    fs.opendirSync(target as string, { bufferSize, encoding: encoding as BufferEncoding }),
  );
}

/** Exported for its test: file systems that give no entry types are rare. */
export class DirectoryNames implements NameReader {
  readonly #open: (encoding: 'latin1' | 'buffer') => Dir;
  #directory: Dir;
  #mode: 'latin1' | 'buffer' = 'latin1';
  #given = 0;

  constructor(open: (encoding: 'latin1' | 'buffer') => Dir) {
    this.#open = open;
    this.#directory = open('latin1');
  }

  readSync(): string | null {
    try {
      const entry = this.#directory.readSync();
      if (entry === null) return null;
      this.#given += 1;
      return nameOf(entry.name);
    } catch (error) {
      if (this.#mode === 'buffer' || errnoOf(error) === null) throw error;
      this.#startAgain();
      return this.readSync();
    }
  }

  closeSync(): void {
    this.#directory.closeSync();
  }

  /**
   * Where the file system gives no type with a name, Node looks at the entry itself, and takes Latin-1 for its name.
   * `buffer` is exact there too, and slower. A real error shows again.
   */
  #startAgain(): void {
    this.#mode = 'buffer';
    const again = this.#open('buffer');
    this.#directory.closeSync();
    this.#directory = again;
    for (let passed = 0; passed < this.#given; passed += 1) if (again.readSync() === null) break;
  }
}

function nameOf(name: string | Buffer): string {
  return decodePathLatin1(typeof name === 'string' ? name : name.toString('latin1'));
}
