/**
 * The few Linux system calls Node has no name for, through `node:ffi`. Raw `syscall(2)` and not the libc wrappers:
 * glibc's `setgroups` and its kin change every thread of the process, the system call changes the calling thread only.
 */
import { getSystemErrorName } from 'node:util';
import { nativePathText } from './path-text.ts';

/** Numbers differ per architecture up to 423; later calls (openat2) have the same number everywhere. */
const numbersByArchitecture = {
  x64: {
    openat2: 437,
    renameat2: 316,
    setfsuid: 122,
    setfsgid: 123,
    setgroups: 116,
    getgroups: 115,
    setresuid: 117,
    getresuid: 118,
  },
  arm64: {
    openat2: 437,
    renameat2: 276,
    setfsuid: 151,
    setfsgid: 152,
    setgroups: 159,
    getgroups: 158,
    setresuid: 147,
    getresuid: 148,
  },
} as const;

/** Leaves a user or group id of `setresuid` as it is, and makes `setfsuid` a query. */
export const UNCHANGED_ID = 0xffffffff;

/** RESOLVE_* of openat2(2). */
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_IN_ROOT = 0x10;

/** O_PATH, the same on x64 and arm64; `fs.constants` lacks it. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const OPEN_HOW_BYTES = 24;
const GROUPS_LIMIT = 65_536;

/** Every call returns the kernel's result, or minus the errno. */
export interface NativeSystem {
  /** Opens `path` relative to `directory`; `resolve` holds RESOLVE_* bits. */
  openat2(directory: number, path: string, flags: number, mode: number, resolve: number): number;
  /** rename(2) that fails with EEXIST instead of replacing. Absolute paths. */
  renameNoReplace(from: string, to: string): number;
  /** rename(2) from one name to another of the same directory. */
  renameat(directory: number, from: string, to: string): number;
  /** Returns the previous id and never an error. */
  setfsuid(uid: number): number;
  setfsgid(gid: number): number;
  setgroups(ids: Uint32Array): number;
  setresuid(real: number, effective: number, saved: number): number;
  getgroups(): Uint32Array;
  /** Real, effective and saved user id. */
  getresuid(): Uint32Array;
}

function load(): NativeSystem | null {
  if (process.platform !== 'linux') return null;
  const numbers =
    process.arch === 'x64' || process.arch === 'arm64' ? numbersByArchitecture[process.arch] : null;
  if (numbers === null) return null;
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  if (ffi === undefined) return null;
  try {
    return bind(ffi, numbers);
  } catch (error) {
    // A libc without these symbols, or FFI forbidden by a permission flag: the server then uses its fallbacks.
    if (error instanceof Error) return null;
    throw error;
  }
}

function bind(
  ffi: typeof import('node:ffi'),
  numbers: (typeof numbersByArchitecture)['x64' | 'arm64'],
): NativeSystem {
  // One signature per dlopen: a library object refuses a second signature for the same symbol.
  const ids = ffi.dlopen(null, {
    syscall: { arguments: ['i32', 'u32', 'u32', 'u32'], return: 'i32' },
    __errno_location: { arguments: [], return: 'pointer' },
  }).functions;
  const list = ffi.dlopen(null, { syscall: { arguments: ['i32', 'i32', 'buffer'], return: 'i32' } }).functions
    .syscall;
  const open = ffi.dlopen(null, {
    syscall: { arguments: ['i32', 'i32', 'string', 'buffer', 'u64'], return: 'i32' },
  }).functions.syscall;
  const rename = ffi.dlopen(null, {
    syscall: { arguments: ['i32', 'i32', 'string', 'i32', 'string', 'u32'], return: 'i32' },
  }).functions.syscall;
  const pointers = ffi.dlopen(null, {
    syscall: { arguments: ['i32', 'buffer', 'buffer', 'buffer'], return: 'i32' },
  }).functions.syscall;

  // errno is thread-local, and so is this module: each worker loads its own copy.
  const errnoPointer = ids.__errno_location();
  const result = (value: number): number => (value === -1 ? -ffi.getInt32(errnoPointer, 0) : value);
  const renameEntries = (directory: number, from: string, to: string, flags: number): number =>
    result(rename(numbers.renameat2, directory, nativePathText(from), directory, nativePathText(to), flags));
  const openHow = new BigUint64Array(3);
  const openHowSize = BigInt(OPEN_HOW_BYTES);

  return {
    openat2(directory, path, flags, mode, resolve) {
      openHow[0] = BigInt(flags);
      openHow[1] = BigInt(mode);
      openHow[2] = BigInt(resolve);
      return result(open(numbers.openat2, directory, nativePathText(path), openHow, openHowSize));
    },
    renameNoReplace: (from, to) => renameEntries(AT_FDCWD, from, to, RENAME_NOREPLACE),
    renameat: (directory, from, to) => renameEntries(directory, from, to, 0),
    setfsuid: (uid) => ids.syscall(numbers.setfsuid, uid, 0, 0),
    setfsgid: (gid) => ids.syscall(numbers.setfsgid, gid, 0, 0),
    setgroups: (groupIds) => result(list(numbers.setgroups, groupIds.length, groupIds)),
    setresuid: (real, effective, saved) => result(ids.syscall(numbers.setresuid, real, effective, saved)),
    getgroups() {
      const groupIds = new Uint32Array(GROUPS_LIMIT);
      const count = result(list(numbers.getgroups, groupIds.length, groupIds));
      if (count < 0) throw new Error(`getgroups: ${errnoName(count)}`);
      return groupIds.slice(0, count);
    },
    getresuid() {
      const real = new Uint32Array(1);
      const effective = new Uint32Array(1);
      const saved = new Uint32Array(1);
      const status = result(pointers(numbers.getresuid, real, effective, saved));
      if (status < 0) throw new Error(`getresuid: ${errnoName(status)}`);
      return Uint32Array.of(real[0] ?? 0, effective[0] ?? 0, saved[0] ?? 0);
    },
  };
}

/** `ENOENT` for the negative result of a call. */
export function errnoName(result: number): string {
  return getSystemErrorName(result);
}

/** Null where the platform has none of these calls (not Linux, another architecture, FFI off). */
export const native: NativeSystem | null = load();
