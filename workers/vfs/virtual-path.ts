/** Client's argument -> VirtualPath. Pure. */
import { canonicalPathText } from '../../src/util/path-text.ts';
import { FsError } from './fs-error.ts';
import type { VirtualPath } from './types.ts';

export const rootPath = '/' as VirtualPath;

/**
 * Absolute, normalised path for `argument`, relative to `cwd`; a leading `~` or `~/` is `home`. `..` at the root stays
 * there. A backslash and `~user` are ordinary names. Throws FsError `invalid-name` on NUL, CR and LF: no such name can
 * be sent back in a reply.
 */
export function resolveVirtualPath(argument: string, cwd: VirtualPath, home: VirtualPath): VirtualPath {
  if (/[\0\r\n]/.test(argument)) throw new FsError('invalid-name');
  if (argument === '~' || argument.startsWith('~/')) return normalise(`${home}/${argument.slice(1)}`);
  return normalise(argument.startsWith('/') ? argument : `${cwd}/${argument}`);
}

/** The same for paths that may hold line ends; `~` is an ordinary name. Throws FsError `invalid-name` on NUL. */
export function resolveLiteralPath(path: string, cwd: VirtualPath): VirtualPath {
  if (path.includes('\0')) throw new FsError('invalid-name');
  return normalise(path.startsWith('/') ? path : `${cwd}/${path}`);
}

function normalise(path: string): VirtualPath {
  const components: string[] = [];
  for (const component of canonicalPathText(path).split('/')) {
    if (component === '..') components.pop();
    else if (component !== '' && component !== '.') components.push(component);
  }
  return `/${components.join('/')}` as VirtualPath;
}

/** Directory and last name; the root is its own directory under the name `.`. */
export function splitVirtualPath(path: VirtualPath): {
  readonly directory: VirtualPath;
  readonly name: string;
} {
  if (path === '/') return { directory: rootPath, name: '.' };
  const slash = path.lastIndexOf('/');
  return {
    directory: (slash === 0 ? '/' : path.slice(0, slash)) as VirtualPath,
    name: path.slice(slash + 1),
  };
}

/** An entry of a directory; `.` is the directory itself. */
export function childPath(directory: VirtualPath, name: string): VirtualPath {
  if (name === '.') return directory;
  return (directory === '/' ? `/${name}` : `${directory}/${name}`) as VirtualPath;
}

/** `/srv/ftp` + `/a` -> `/srv/ftp/a`. */
export function joinRoot(root: string, path: VirtualPath): string {
  if (root === '/') return path;
  return path === '/' ? root : `${root}${path}`;
}

/** The virtual path of an absolute real path, or null when it lies outside `root`. */
export function belowRoot(root: string, realPath: string): VirtualPath | null {
  if (root === '/') return realPath as VirtualPath;
  if (realPath === root) return rootPath;
  return realPath.startsWith(`${root}/`) ? (realPath.slice(root.length) as VirtualPath) : null;
}

/** Links followed in one lookup, as the kernel's own limit (path_resolution(7)). */
export const LINK_LIMIT = 40;

/** `a/./b//..` -> `a`, `b`, `..`. */
export function componentsOf(path: string): string[] {
  return path.split('/').filter((component) => component !== '' && component !== '.');
}
