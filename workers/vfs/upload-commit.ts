/** The end of an upload: commit makes it a file under its final name, abort leaves what was there before. */
import type { Settings } from '../../src/config/server-config.ts';
import { closeSync, fchmodSync, fchownSync, fstatSync, fsyncSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { renameEntry } from './directory-entry.ts';
import { errnoOf, toFsError } from './errno-mapping.ts';
import { applyOwner, hasOwnerDirective } from './entry-owner.ts';
import { FsError } from './fs-error.ts';
import { keepOwner, moveWithoutReplacing, removeIfThere } from './local-backend.ts';
import { lstatSync, unlinkSync } from './path-calls.ts';
import type { Place, SessionFiles } from './session-files.ts';
import type { UploadTarget, VirtualPath } from './types.ts';

export interface UploadParts {
  readonly files: SessionFiles;
  /** The final entry. */
  readonly place: Place;
  readonly virtualPath: VirtualPath;
  readonly existing: Stats | null;
  readonly descriptor: number;
  readonly offset: number;
}

export abstract class OpenedUpload implements UploadTarget {
  readonly descriptor: number;
  readonly settings: Settings;
  readonly offset: number;
  readonly previousSize: number | null;
  readonly realPath: string;
  readonly virtualPath: VirtualPath;
  protected readonly files: SessionFiles;
  protected readonly place: Place;
  protected readonly existing: Stats | null;
  #held: DisposableStack | null = null;
  #state: 'open' | 'descriptor-closed' | 'done' = 'open';

  constructor(parts: UploadParts) {
    this.files = parts.files;
    this.place = parts.place;
    this.virtualPath = parts.virtualPath;
    this.existing = parts.existing;
    this.descriptor = parts.descriptor;
    this.offset = parts.offset;
    this.previousSize = parts.existing?.size ?? null;
    this.realPath = parts.place.realPath;
    this.settings = parts.place.config.settings;
  }

  /** Takes over the directories that stay pinned until the end. */
  keep(held: DisposableStack): void {
    this.#held = held;
  }

  commit(): void {
    if (this.#state !== 'open') throw new Error('the upload has ended already');
    try {
      this.files.run(() => this.finish());
    } finally {
      this.#release();
    }
  }

  abort(received: number): void {
    if (this.#state !== 'open') return;
    try {
      this.files.run(() => this.undo(received));
    } catch (error) {
      // The transfer has failed already and its cause is what the client hears; the operator hears this.
      const { errno, code } = toFsError(error);
      this.files.warn(`cleaning up after the aborted upload of '${this.realPath}' failed: ${errno ?? code}`);
    } finally {
      this.#release();
    }
  }

  protected abstract finish(): void;
  protected abstract undo(received: number): void;

  /**
   * Network file systems report a full disk or quota only when a file is closed or synced, so this comes before the
   * rename. A file that still gets another owner stays open, because only its descriptor names it beyond doubt.
   */
  protected settle(): void {
    if (hasOwnerDirective(this.place.config.settings)) fsyncSync(this.descriptor);
    else this.closeDescriptor();
  }

  protected closeDescriptor(): void {
    if (this.#state !== 'open') return;
    this.#state = 'descriptor-closed';
    closeSync(this.descriptor);
  }

  /** UserOwner and GroupOwner are for new files. */
  protected giveAway(): void {
    const { settings } = this.place.config;
    if (!hasOwnerDirective(settings) || this.existing !== null) return;
    applyOwner(this.files, settings, (uid, gid) => fchownSync(this.descriptor, uid, gid), this.realPath);
  }

  #release(): void {
    try {
      this.closeDescriptor();
    } finally {
      this.#state = 'done';
      this.#held?.dispose();
      this.#held = null;
    }
  }
}

/** APPE, REST, and STOR where the directory takes no new entry. */
export class UploadInPlace extends OpenedUpload {
  protected override finish(): void {
    this.giveAway();
    this.closeDescriptor();
  }

  protected override undo(): void {
    const written = fstatSync(this.descriptor);
    this.giveAway();
    this.closeDescriptor();
    const { settings } = this.place.config;
    // What was there before stays, even if the end of it is new now.
    if (this.existing !== null || !settings.deleteAbortedStores) return;
    const named = lstatSync(this.place.path, { throwIfNoEntry: false });
    if (named?.ino === written.ino && named.dev === written.dev) unlinkSync(this.place.path);
  }
}

export interface BesideParts extends UploadParts {
  readonly temporaryPath: string;
  /** HiddenStores chose the name. */
  readonly hidden: boolean;
  /** STOU: must not meet another file at the end either. */
  readonly unique: boolean;
}

/** STOR and STOU: written to a temporary in the same directory. */
export class UploadBeside extends OpenedUpload {
  protected readonly temporaryPath: string;
  readonly #hidden: boolean;
  readonly #unique: boolean;

  constructor(parts: BesideParts) {
    super(parts);
    this.temporaryPath = parts.temporaryPath;
    this.#hidden = parts.hidden;
    this.#unique = parts.unique;
  }

  protected override finish(): void {
    try {
      this.dress();
      this.settle();
      this.moveIntoPlace(!this.#unique && this.place.config.settings.allowOverwrite);
    } catch (error) {
      removeIfThere(this.temporaryPath);
      throw error;
    }
    this.giveAway();
  }

  /**
   * An upload that was to replace a file, or that HiddenStores or DeleteAbortedStores covers, leaves nothing. A new
   * file that broke off stays where AllowStoreRestart lets the client continue it: that is what it is for.
   */
  protected override undo(received: number): void {
    const { allowStoreRestart, deleteAbortedStores } = this.place.config.settings;
    const resumable = allowStoreRestart && !deleteAbortedStores && !this.#hidden && !this.#unique;
    try {
      if (!resumable || received === 0 || this.existing !== null) return;
      this.dress();
      this.settle();
      this.moveIntoPlace(false);
      this.giveAway();
    } finally {
      removeIfThere(this.temporaryPath);
    }
  }

  /** Mode and owner: those of the file it replaces, or those of a new file. */
  protected dress(): void {
    const { existing } = this;
    if (existing === null) {
      try {
        fchmodSync(this.descriptor, 0o666 & ~this.place.config.settings.umask.file);
      } catch (error) {
        // File systems without permissions (vfat) know only one mode, and say so.
        if (errnoOf(error) !== 'EPERM') throw error;
      }
      return;
    }
    const own = fstatSync(this.descriptor);
    if (own.uid !== existing.uid || own.gid !== existing.gid) {
      // Written in place the file would have kept its owner, whoever wrote it.
      this.files.identity.runPrivileged(() => keepOwner(this.descriptor, existing));
    }
    // Writing clears the set-id bits (inode(7)), so the new content does not inherit them either.
    this.files.identity.runPrivileged(() => fchmodSync(this.descriptor, existing.mode & 0o777));
  }

  protected moveIntoPlace(replace: boolean): void {
    if (replace) {
      renameEntry(this.place.directory, basename(this.temporaryPath), this.place.name);
      return;
    }
    try {
      moveWithoutReplacing(this.temporaryPath, this.place.path);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      throw new FsError(this.#unique ? 'exists' : 'overwrite-denied', { errno: 'EEXIST' });
    }
  }
}
