/**
 * Files that are written at any offset (SFTP). What replaces or makes a whole file (truncating open, or a new name) is
 * written beside and takes its name when it is closed, so a client that breaks off leaves the old file. What continues
 * or changes a file (no truncation, append), what asks for the name itself (exclusive creation: the name is the lock), and a file
 * with more than one link (a replacement would part it from its other names) is written in place.
 *
 * Until the close the session itself must find what it is writing: `pending` holds the uploads by their final path, for
 * STAT to look at, and `publish` gives one its name early where the session goes on to use that name.
 */
import { constants, fchmodSync, fstatSync, type Stats } from 'node:fs';
import { changeOpenFile, type AttributeChanges } from './attribute-changes.ts';
import { fsErrorOf } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import { lstatSync, unlinkSync } from './path-calls.ts';
import type { SessionFiles } from './session-files.ts';
import type { OpenedUpdate, UpdateRequest, VirtualPath } from './types.ts';
import { UploadBeside, UploadInPlace, type BesideParts, type UploadParts } from './upload-commit.ts';
import {
  create,
  mayReplace,
  openTemporary,
  reopen,
  resolveDestination,
  type Destination,
} from './upload-target.ts';

export function openUpdate(
  files: SessionFiles,
  path: VirtualPath,
  request: UpdateRequest,
  command: string,
  also: readonly string[],
): OpenedUpdate {
  return files.run(() => {
    using held = new DisposableStack();
    const first = held.use(files.locateForChange(path, command));
    for (const other of also) files.ask(first, other);
    const destination = resolveDestination(files, first, command, held);
    checkRequest(destination, request);
    const upload = openDestination(files, destination, request, path);
    upload.keep(held.move());
    return upload;
  });
}

/** AllowOverwrite, AllowStoreRestart and HiddenStores as STOR, REST and APPE have them (core reference, section 6). */
function checkRequest({ place, existing }: Destination, request: UpdateRequest): void {
  const { settings } = place.config;
  if (existing === null) {
    if (!request.create) throw new FsError('not-found', { errno: 'ENOENT' });
    return;
  }
  if (request.exclusive) throw new FsError('exists', { errno: 'EEXIST' });
  const { stats } = existing;
  if (stats.isDirectory()) throw new FsError('is-a-directory', { errno: 'EISDIR' });
  if (!stats.isFile()) throw new FsError('not-regular');
  if (request.append && !request.truncate) {
    if (!settings.allowStoreRestart) throw new FsError('append-denied');
    return;
  }
  if (!settings.allowOverwrite) throw new FsError('overwrite-denied');
  if (!request.truncate && settings.hiddenStores !== null) throw new FsError('restart-with-hidden-store');
}

function openDestination(
  files: SessionFiles,
  { place, existing }: Destination,
  request: UpdateRequest,
  path: VirtualPath,
): UpdateBeside | UpdateInPlace {
  const access = request.read ? constants.O_RDWR : constants.O_WRONLY;
  const flags = request.append ? constants.O_APPEND : 0;
  const common = { files, place, virtualPath: path, existing: existing?.stats ?? null, offset: 0 };
  const inPlace = (descriptor: number): UpdateInPlace => new UpdateInPlace({ ...common, descriptor });
  // Where nothing is there, nothing can be continued: a new file is whole too (scp over SFTP opens without truncation).
  const wholeFile = (request.truncate || existing === null) && !request.append && !request.exclusive;
  if (existing === null) {
    if (!wholeFile) return inPlace(create(place, access | flags, request.mode ?? 0o666));
    const temporary = openTemporary(place, false, access)!;
    return new UpdateBeside({ ...common, ...temporary, unique: false }, request.mode);
  }
  if (!wholeFile)
    return inPlace(reopen(existing, flags | (request.truncate ? constants.O_TRUNC : 0), access));
  const replaceable = existing.stats.nlink <= 1 && mayReplace(files, place, existing);
  // Replacing needs no right to the old file, so ask the kernel for it: what may not be written may not be replaced.
  const probe = inPlace(reopen(existing, 0, access));
  const temporary = replaceable ? discardOnError(probe, () => openTemporary(place, true, access)) : null;
  if (temporary === null) {
    discardOnError(probe, () => changeOpenFile(probe.descriptor, { ...NO_CHANGES, size: 0 }));
    return probe;
  }
  probe.discard();
  return new UpdateBeside({ ...common, ...temporary, unique: false }, null);
}

/** What `act` throws must not leave the descriptor open. */
function discardOnError<T>(opened: UpdateInPlace, act: () => T): T {
  try {
    return act();
  } catch (error) {
    opened.discard();
    throw error;
  }
}

export const NO_CHANGES: AttributeChanges = {
  size: null,
  uid: null,
  gid: null,
  mode: null,
  accessTime: null,
  modifyTime: null,
};

class UpdateInPlace extends UploadInPlace implements OpenedUpdate {
  readonly inPlace = true;

  constructor(parts: UploadParts) {
    super(parts);
  }

  stats(): Stats {
    return fstatSync(this.descriptor);
  }

  change(changes: AttributeChanges): void {
    this.files.run(() => changeOpenFile(this.descriptor, changes));
  }

  publish(): void {
    // It has its name already.
  }

  /** Closes without any of the ends of an upload: nothing was written. */
  discard(): void {
    this.closeDescriptor();
  }
}

class UpdateBeside extends UploadBeside implements OpenedUpdate {
  readonly #askedMode: number | null;
  readonly #pendingKey: string;
  readonly #hiddenByName: boolean;
  #published = false;
  #modeGiven = false;
  #ownerGiven = false;

  /** @param askedMode of a new file, before Umask */
  constructor(parts: BesideParts, askedMode: number | null) {
    super(parts);
    this.#askedMode = askedMode;
    this.#hiddenByName = parts.hidden;
    this.#pendingKey = parts.place.realPath;
    parts.files.pending.set(this.#pendingKey, this);
  }

  get inPlace(): boolean {
    return this.#published;
  }

  stats(): Stats {
    return fstatSync(this.descriptor);
  }

  change(changes: AttributeChanges): void {
    const { existing, files } = this;
    const owned = existing === null || files.identity.uid === 0 || files.identity.uid === existing.uid;
    // The file it will replace is another user's: the kernel would not let this one change its mode or owner.
    if (!owned && (changes.mode !== null || changes.uid !== null || changes.gid !== null))
      throw fsErrorOf('EPERM');
    files.run(() => changeOpenFile(this.descriptor, changes));
    // The close must not take back what the client has asked for.
    if (changes.mode !== null) this.#modeGiven = true;
    if (changes.uid !== null || changes.gid !== null) this.#ownerGiven = true;
  }

  /** With HiddenStores nobody is to see half a file under its name, its own client neither. */
  publish(): void {
    if (this.#published || this.#hiddenByName) return;
    this.files.run(() => {
      this.dress();
      this.moveIntoPlace(this.place.config.settings.allowOverwrite);
    });
    this.#published = true;
    this.#forget();
  }

  override commit(): void {
    this.#forget();
    super.commit();
  }

  override abort(received: number): void {
    this.#forget();
    super.abort(received);
  }

  protected override finish(): void {
    if (!this.#published) return super.finish();
    this.giveAway();
    this.closeDescriptor();
  }

  protected override undo(received: number): void {
    if (!this.#published) return super.undo(received);
    const written = fstatSync(this.descriptor);
    this.giveAway();
    this.closeDescriptor();
    if (this.existing !== null || !this.place.config.settings.deleteAbortedStores) return;
    const named = lstatSync(this.place.path, { throwIfNoEntry: false });
    if (named?.ino === written.ino && named.dev === written.dev) unlinkSync(this.place.path);
  }

  protected override dress(): void {
    const { existing } = this;
    const own = this.#modeGiven || this.#ownerGiven ? fstatSync(this.descriptor) : null;
    if (existing === null) {
      if (this.#modeGiven) return;
      if (this.#askedMode === null) return super.dress();
      fchmodSync(this.descriptor, this.#askedMode & ~this.place.config.settings.umask.file & 0o777);
      return;
    }
    if (own === null) return super.dress();
    if (!this.#ownerGiven) super.dress();
    // With the user's own rights: the kernel then decides about set-id bits.
    if (this.#modeGiven) fchmodSync(this.descriptor, own.mode & 0o7777);
    else if (this.#ownerGiven) fchmodSync(this.descriptor, existing.mode & 0o777);
  }

  #forget(): void {
    if (this.files.pending.get(this.#pendingKey) === this) this.files.pending.delete(this.#pendingKey);
  }
}
