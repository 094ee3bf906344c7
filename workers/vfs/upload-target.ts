/**
 * Opens the file an upload writes. A plain STOR goes to a temporary beside its target and is renamed when it is
 * whole; APPE and REST, whose point is to continue what is there, write in place.
 */
import { closeSync, constants, fchmodSync, fstatSync, type Stats } from 'node:fs';
import type { Settings } from '../../src/config/server-config.ts';
import { openEntry } from './directory-entry.ts';
import { errnoOf } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import { openSync } from './path-calls.ts';
import type { Pinned } from './root-jail.ts';
import type { Place, SessionFiles } from './session-files.ts';
import { temporaryName } from './temporary-name.ts';
import type { UploadMode, UploadTarget, VirtualPath } from './types.ts';
import { UploadBeside, UploadInPlace, type OpenedUpload } from './upload-commit.ts';

const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Nobody else reads a file that is not whole yet; its real mode comes with the commit. */
const PRIVATE_MODE = 0o600;
const STICKY = 0o1000;
/** A link that changes while it is followed is followed anew; a few times, then the client may try again. */
const LINK_RACES = 8;

/** Where the bytes go in the end, and what is there now. */
export interface Destination {
  readonly place: Place;
  readonly existing: Pinned | null;
}

export function openUpload(
  files: SessionFiles,
  path: VirtualPath,
  mode: UploadMode,
  command: string,
): UploadTarget {
  return files.run(() => {
    using held = new DisposableStack();
    const first = held.use(files.locateForChange(path, command));
    const destination = resolveDestination(files, first, command, held);
    checkMode(destination.place.config.settings, destination.existing?.stats ?? null, mode);
    const upload = openDestination(files, destination, mode, path);
    upload.keep(held.move());
    return upload;
  });
}

/** The named entry, or what a link names where AllowSymlinkUpload lets it. */
export function resolveDestination(
  files: SessionFiles,
  first: Place,
  command: string,
  held: DisposableStack,
): Destination {
  let place = first;
  for (let race = 0; race < LINK_RACES; race++) {
    const existing = files.jail.pinEntryIfThere(place.directory, place.name);
    if (existing === null) return { place, existing };
    held.use(existing);
    if (!existing.stats.isSymbolicLink()) return { place, existing };
    if (!allowsSymlinkUpload(place.config.settings)) throw new FsError('not-regular', { errno: 'ELOOP' });
    using target = files.jail.pin(place.virtualPath.slice(1), true);
    const targetPath = files.virtualPathOf(target);
    if (targetPath === null) throw new FsError('not-found', { errno: 'ENOENT' });
    place = held.use(files.locateForChange(targetPath, command));
  }
  throw new FsError('too-many-links', { errno: 'ELOOP' });
}

function allowsSymlinkUpload(settings: Settings): boolean {
  return settings.transferOptions.some((option) => option.toLowerCase() === 'allowsymlinkupload');
}

/** AllowOverwrite, AllowStoreRestart, HiddenStores with REST (core reference, section 6). */
function checkMode(settings: Settings, existing: Stats | null, mode: UploadMode): void {
  if (mode.kind === 'restart' && settings.hiddenStores !== null)
    throw new FsError('restart-with-hidden-store');
  if (existing === null) {
    if (mode.kind === 'restart' && mode.offset > 0) throw new FsError('invalid-offset');
    return;
  }
  if (!existing.isFile()) throw new FsError('not-regular');
  switch (mode.kind) {
    case 'unique':
      throw new FsError('exists', { errno: 'EEXIST' });
    case 'store':
      if (!settings.allowOverwrite) throw new FsError('overwrite-denied');
      return;
    case 'append':
      if (!settings.allowStoreRestart) throw new FsError('append-denied');
      return;
    case 'restart':
      if (!settings.allowOverwrite) throw new FsError('overwrite-denied');
      if (!settings.allowStoreRestart) throw new FsError('restart-denied');
      if (mode.offset > existing.size) throw new FsError('invalid-offset');
  }
}

function openDestination(
  files: SessionFiles,
  to: Destination,
  mode: UploadMode,
  path: VirtualPath,
): OpenedUpload {
  const { place, existing } = to;
  const common = { files, place, virtualPath: path, existing: existing?.stats ?? null };
  if (mode.kind === 'append' || mode.kind === 'restart') {
    const descriptor =
      existing === null ? create(place) : reopen(existing, mode.kind === 'append' ? constants.O_APPEND : 0);
    const offset = mode.kind === 'restart' ? mode.offset : (existing?.stats.size ?? 0);
    return new UploadInPlace({ ...common, descriptor, offset });
  }
  // Replacing needs no right to the old file, so ask the kernel for it: what may not be written may not be replaced.
  if (existing !== null) closeSync(reopen(existing, 0));
  const temporary =
    existing !== null && !mayReplace(files, place, existing) ? null : openTemporary(place, existing !== null);
  if (temporary !== null)
    return new UploadBeside({ ...common, ...temporary, offset: 0, unique: mode.kind === 'unique' });
  if (existing === null) throw new FsError('permission-denied', { errno: 'EACCES' });
  return new UploadInPlace({ ...common, descriptor: reopen(existing, constants.O_TRUNC), offset: 0 });
}

/** A sticky directory lets nobody replace another user's file; there the file itself is written. */
export function mayReplace(files: SessionFiles, place: Place, existing: Pinned): boolean {
  const directory = place.directory.stats;
  if ((directory.mode & STICKY) === 0) return true;
  const { uid } = files.identity;
  return uid === 0 || uid === existing.stats.uid || uid === directory.uid;
}

export interface Temporary {
  readonly descriptor: number;
  readonly temporaryPath: string;
  readonly hidden: boolean;
}

/** Null where the directory takes no new entry but the file that is there can be written (`mayFail`). */
export function openTemporary(
  place: Place,
  mayFail: boolean,
  access: number = constants.O_WRONLY,
): Temporary | null {
  const { hiddenStores } = place.config.settings;
  const hidden = hiddenStores !== null;
  const name = hidden
    ? `${hiddenStores.prefix}${place.name}${hiddenStores.suffix}`
    : temporaryName(place.name);
  const temporaryPath = `${place.directory.path}/${name}`;
  try {
    return {
      descriptor: openEntry(place.directory, name, access | NEW_FILE, PRIVATE_MODE),
      temporaryPath,
      hidden,
    };
  } catch (error) {
    const errno = errnoOf(error);
    if (hidden && errno === 'EEXIST') throw new FsError('hidden-store-exists', { errno });
    if (mayFail && !hidden && (errno === 'EACCES' || errno === 'EPERM')) return null;
    throw error;
  }
}

/** A file that was not there, under its final name. `asked` is narrowed by Umask like any new file's mode. */
export function create(place: Place, access: number = constants.O_WRONLY, asked = 0o666): number {
  const mode = asked & ~place.config.settings.umask.file & 0o777;
  const descriptor = openSync(place.path, access | NEW_FILE, mode);
  try {
    // The process's own umask is not the session's.
    if ((fstatSync(descriptor).mode & 0o777) !== mode) fchmodSync(descriptor, mode);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Opens the pinned object itself, whatever its name stands for by now. */
export function reopen(existing: Pinned, flags: number, access: number = constants.O_WRONLY): number {
  return openSync(existing.path, access | constants.O_NONBLOCK | flags);
}
