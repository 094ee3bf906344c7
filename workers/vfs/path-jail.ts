/**
 * The jail of systems without `/proc/self/fd` (macOS): paths instead of descriptors. Links are followed here and never
 * by the system, and what was found is checked once more when it is opened; between the two a local user who may
 * rename directories inside the root has a window that the Linux jails do not have. The server says which jail it has.
 */
import type { Stats } from 'node:fs';
import { fsErrorOf, nullIfAbsent } from './errno-mapping.ts';
import { lstatSync, readlinkSync, realpathSync } from './path-calls.ts';
import type { Pinned, RootJail } from './root-jail.ts';
import { LINK_LIMIT, componentsOf } from './virtual-path.ts';

/** `root` must exist. */
export function createPathJail(root: string): RootJail {
  return new PathJail(root);
}

class PathPin implements Pinned {
  readonly path: string;
  readonly descriptor = null;
  readonly stats: Stats;
  readonly #name: string;

  constructor(path: string, stats: Stats, name: string) {
    this.path = path;
    this.stats = stats;
    this.#name = name;
  }

  realPath(): string {
    return this.#name;
  }

  close(): void {
    // Nothing is held: the path is the object's name.
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class PathJail implements RootJail {
  readonly kind = 'checked';
  readonly root: string;
  readonly #resolvedRoot: string;

  constructor(root: string) {
    this.root = root;
    const resolved = realpathSync(root);
    if (!lstatSync(resolved).isDirectory()) throw fsErrorOf('ENOTDIR');
    this.#resolvedRoot = resolved === '/' ? '' : resolved;
  }

  pin(relative: string, follow: boolean): Pinned {
    const trail: string[] = [];
    const pending = componentsOf(relative).reverse();
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '..') {
        trail.pop();
        continue;
      }
      const path = this.#path([...trail, name]);
      const stats = lstatSync(path);
      if (!stats.isSymbolicLink() || (pending.length === 0 && !follow)) {
        if (pending.length > 0 && !stats.isDirectory()) throw fsErrorOf('ENOTDIR');
        trail.push(name);
        continue;
      }
      links += 1;
      if (links > LINK_LIMIT) throw fsErrorOf('ELOOP');
      const target = readlinkSync(path);
      if (target.startsWith('/')) trail.length = 0;
      pending.push(...componentsOf(target).reverse());
    }
    return this.#pinned(trail);
  }

  pinIfThere(relative: string): Pinned | null {
    return nullIfAbsent(() => this.pin(relative, true));
  }

  pinEntry(directory: Pinned, name: string): Pinned {
    const path = `${directory.path}/${name}`;
    return new PathPin(path, lstatSync(path), `${directory.realPath()}/${name}`);
  }

  pinEntryIfThere(directory: Pinned, name: string): Pinned | null {
    return nullIfAbsent(() => this.pinEntry(directory, name));
  }

  close(): void {
    // Nothing is held.
  }

  #path(trail: readonly string[]): string {
    return trail.length === 0 ? this.#resolvedRoot || '/' : `${this.#resolvedRoot}/${trail.join('/')}`;
  }

  #pinned(trail: readonly string[]): PathPin {
    const path = this.#path(trail);
    const parent = this.#path(trail.slice(0, -1));
    // A component that became a link since the walk shows as a different real path.
    if (realpathSync(parent) !== parent) throw fsErrorOf('ENOENT');
    const prefix = this.root === '/' ? '' : this.root;
    return new PathPin(
      path,
      lstatSync(path),
      trail.length === 0 ? this.root : `${prefix}/${trail.join('/')}`,
    );
  }
}
