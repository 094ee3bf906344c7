/**
 * The jail: every path of a session is resolved below one root directory, as in a chroot (an absolute link starts at
 * the root again, `..` stops there). A lookup ends in a descriptor that names one object for good (`pin`); the
 * operation then goes through that descriptor, so nobody can swap a link between the check and the act.
 */
import { constants, closeSync, fstatSync, type Stats } from 'node:fs';
import {
  O_CLOEXEC,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  errnoName,
  native,
} from '../../src/util/native.ts';
import { fsErrorOf, nullIfAbsent } from './errno-mapping.ts';
import { openEntry, openEntryIfThere } from './directory-entry.ts';
import { openSync, readlinkSync, statSync } from './path-calls.ts';
import { createPathJail } from './path-jail.ts';
import { LINK_LIMIT, componentsOf } from './virtual-path.ts';

/** kernel: openat2 resolves and confines. checked: the server walks each component and follows links itself. */
export type JailKind = 'kernel' | 'checked';

/** One object of the file system, held by a descriptor where the system can. */
export interface Pinned extends Disposable {
  /** Reaches exactly this object in `fs` calls; with `/name` appended, an entry of this directory. */
  readonly path: string;
  /** Null where paths are all there is. */
  readonly descriptor: number | null;
  readonly stats: Stats;
  /** Absolute path of the object, links resolved, the root written as the jail was given it. */
  realPath(): string;
  close(): void;
}

export interface RootJail {
  readonly kind: JailKind;
  readonly root: string;
  /**
   * Looks up `relative` (no leading slash; empty for the root itself). With `follow` false a final symbolic link is
   * pinned itself. Throws FsError or the system's error.
   */
  pin(relative: string, follow: boolean): Pinned;
  /** Like `pin` with `follow`, null where there is nothing: no error is made for what is asked all the time. */
  pinIfThere(relative: string): Pinned | null;
  /** The entry `name` of a pinned directory, a link not followed. */
  pinEntry(directory: Pinned, name: string): Pinned;
  /** Like `pinEntry`, null where there is nothing. */
  pinEntryIfThere(directory: Pinned, name: string): Pinned | null;
  close(): void;
}

/** The kernel gives up on `..` in a tree that is being renamed (EAGAIN); a busy tree settles within a few tries. */
const RACE_RETRIES = 64;

const descriptorDirectory = '/proc/self/fd';

interface Platform {
  readonly kind: JailKind;
  readonly descriptorPaths: boolean;
  /** Device of /proc: its own files show the server, not the user's data. */
  readonly procDevice: number | null;
}

let platform: Platform | undefined;

/** Which jail this machine gives; the server says it at start. */
export function jailKind(): JailKind {
  return inspectPlatform().kind;
}

function inspectPlatform(): Platform {
  platform ??= probePlatform();
  return platform;
}

function probePlatform(): Platform {
  const proc = statSync(descriptorDirectory, { throwIfNoEntry: false });
  const descriptorPaths = process.platform === 'linux' && proc !== undefined;
  const base = { descriptorPaths, procDevice: proc === undefined ? null : proc.dev };
  if (!descriptorPaths || native === null) return { kind: 'checked', ...base };
  const directory = openSync('/', O_PATH | constants.O_DIRECTORY);
  try {
    // ENOSYS: a kernel before 5.6. EPERM: a seccomp filter that does not know the call.
    const opened = native.openat2(
      directory,
      '.',
      O_PATH | O_CLOEXEC,
      0,
      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    );
    if (opened < 0) return { kind: 'checked', ...base };
    closeSync(opened);
    return { kind: 'kernel', ...base };
  } finally {
    closeSync(directory);
  }
}

/** Opens the jail of one session. `kind` is for tests; a kernel jail where there is none throws. */
export function openRootJail(root: string, kind: JailKind = jailKind()): RootJail {
  const found = inspectPlatform();
  if (!found.descriptorPaths) return createPathJail(root);
  const holder = new RootDescriptor(root, found.procDevice);
  return kind === 'kernel' ? new KernelJail(holder) : new WalkingJail(holder);
}

/** The root's descriptor, and how a path is written below it. */
class RootDescriptor {
  readonly root: string;
  readonly descriptor: number;
  readonly #resolvedRoot: string;
  readonly #procDevice: number | null;
  #open = true;

  constructor(root: string, procDevice: number | null) {
    this.root = root;
    this.#procDevice = procDevice;
    this.descriptor = openSync(root, O_PATH | constants.O_DIRECTORY);
    this.#resolvedRoot = readlinkSync(`${descriptorDirectory}/${this.descriptor}`);
  }

  assertOpen(): void {
    if (!this.#open) throw new Error('the jail is closed');
  }

  /** Wraps a fresh descriptor, or closes it and refuses: /proc would let a session read the server's own memory. */
  pinned(descriptor: number): DescriptorPin {
    const stats = fstatSync(descriptor);
    if (stats.dev === this.#procDevice) {
      closeSync(descriptor);
      throw fsErrorOf('EACCES');
    }
    return new DescriptorPin(descriptor, stats, this);
  }

  /** `/data/home/bob/x` is `/home/bob/x` when the root was given as `/home/bob`. */
  nameBelowRoot(resolved: string): string {
    if (this.root === this.#resolvedRoot) return resolved;
    if (resolved === this.#resolvedRoot) return this.root;
    const prefix = this.#resolvedRoot === '/' ? '/' : `${this.#resolvedRoot}/`;
    if (!resolved.startsWith(prefix)) return resolved;
    return `${this.root === '/' ? '' : this.root}/${resolved.slice(prefix.length)}`;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.descriptor);
  }
}

class DescriptorPin implements Pinned {
  readonly path: string;
  readonly stats: Stats;
  readonly descriptor: number;
  readonly #holder: RootDescriptor;
  #open = true;

  constructor(descriptor: number, stats: Stats, holder: RootDescriptor) {
    this.descriptor = descriptor;
    this.path = `${descriptorDirectory}/${descriptor}`;
    this.stats = stats;
    this.#holder = holder;
  }

  realPath(): string {
    return this.#holder.nameBelowRoot(readlinkSync(this.path));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

abstract class DescriptorJail implements RootJail {
  abstract readonly kind: JailKind;
  readonly root: string;
  protected readonly holder: RootDescriptor;

  constructor(holder: RootDescriptor) {
    this.holder = holder;
    this.root = holder.root;
  }

  abstract pin(relative: string, follow: boolean): Pinned;

  pinIfThere(relative: string): Pinned | null {
    return nullIfAbsent(() => this.pin(relative, true));
  }

  pinEntry(directory: Pinned, name: string): Pinned {
    return this.holder.pinned(openEntry(directory, name, O_PATH | constants.O_NOFOLLOW));
  }

  pinEntryIfThere(directory: Pinned, name: string): Pinned | null {
    const descriptor = openEntryIfThere(directory, name, O_PATH | constants.O_NOFOLLOW);
    return descriptor === null ? null : this.holder.pinned(descriptor);
  }

  close(): void {
    this.holder.close();
  }
}

/** openat2(2): the kernel keeps the whole lookup below the root, and never enters a link of /proc/PID/fd. */
class KernelJail extends DescriptorJail {
  override readonly kind = 'kernel';

  override pin(relative: string, follow: boolean): Pinned {
    const found = this.#open(relative, follow);
    if (typeof found === 'string') throw fsErrorOf(found);
    return found;
  }

  override pinIfThere(relative: string): Pinned | null {
    const found = this.#open(relative, true);
    if (found === 'ENOENT' || found === 'ENOTDIR') return null;
    if (typeof found === 'string') throw fsErrorOf(found);
    return found;
  }

  /** The object, or the name of the error. */
  #open(relative: string, follow: boolean): Pinned | string {
    this.holder.assertOpen();
    if (native === null) return 'ENOSYS';
    const path = relative === '' ? '.' : relative;
    const flags = O_PATH | O_CLOEXEC | (follow ? 0 : constants.O_NOFOLLOW);
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    for (let attempt = 0; ; attempt++) {
      const opened = native.openat2(this.holder.descriptor, path, flags, 0, resolve);
      if (opened >= 0) return this.holder.pinned(opened);
      const errno = errnoName(opened);
      const retry = errno === 'EINTR' || (errno === 'EAGAIN' && attempt < RACE_RETRIES);
      // EXDEV here means that the lookup would have left the root: to the session there is nothing there.
      if (!retry) return errno === 'EXDEV' ? 'ENOENT' : errno;
    }
  }
}

/**
 * Where openat2 is missing: one open per component, never through a link, each relative to the descriptor of the
 * directory before it. Links are read and followed here, so no race can lead out of the root either.
 */
class WalkingJail extends DescriptorJail {
  override readonly kind = 'checked';

  override pin(relative: string, follow: boolean): Pinned {
    this.holder.assertOpen();
    const trail: DescriptorPin[] = [];
    try {
      this.#walk(trail, relative, follow);
      return trail.pop() ?? this.#open(`${descriptorDirectory}/${this.holder.descriptor}/.`);
    } finally {
      for (const passed of trail) passed.close();
    }
  }

  /** Leaves the directories on the way in `trail`, the object last; an empty trail stands for the root. */
  #walk(trail: DescriptorPin[], relative: string, follow: boolean): void {
    const pending = componentsOf(relative).reverse();
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const directory = trail.at(-1);
      if (directory !== undefined && !directory.stats.isDirectory()) throw fsErrorOf('ENOTDIR');
      if (name === '..') {
        trail.pop()?.close();
        continue;
      }
      const path = `${directory?.path ?? `${descriptorDirectory}/${this.holder.descriptor}`}/${name}`;
      const entry = this.#open(path);
      if (!entry.stats.isSymbolicLink() || (pending.length === 0 && !follow)) {
        trail.push(entry);
        continue;
      }
      entry.close();
      links += 1;
      if (links > LINK_LIMIT) throw fsErrorOf('ELOOP');
      const target = readlinkSync(path);
      if (target.startsWith('/')) for (const passed of trail.splice(0)) passed.close();
      pending.push(...componentsOf(target).reverse());
    }
  }

  #open(path: string): DescriptorPin {
    return this.holder.pinned(openSync(path, O_PATH | constants.O_NOFOLLOW));
  }
}
