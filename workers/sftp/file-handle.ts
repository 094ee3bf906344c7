/** An open file of a channel: its descriptor, what may be done with it, and what its end will log. */
import { fstatSync, type Stats } from 'node:fs';
import type { Settings } from '../../src/config/server-config.ts';
import type { RateLimiter } from '../transfer/rate-limit.ts';
import type { TransferProgress } from '../transfer/transfer-progress.ts';
import type { FsError } from '../vfs/fs-error.ts';
import type { OpenedFile, OpenedUpdate, VirtualPath } from '../vfs/types.ts';

export interface FileHandleParts {
  readonly path: VirtualPath;
  readonly readable: boolean;
  readonly append: boolean;
  /** What the end of the handle closes. */
  readonly opened:
    | { readonly kind: 'read'; readonly file: OpenedFile }
    | { readonly kind: 'update'; readonly upload: OpenedUpdate };
  readonly command: 'RETR' | 'STOR' | 'APPE';
  readonly downloadRate: RateLimiter | null;
  readonly uploadRate: RateLimiter | null;
  /** MaxStoreFileSize; null: none. */
  readonly sizeLimit: number | null;
  readonly bytesIn: TransferProgress;
  readonly bytesOut: TransferProgress;
}

/** Files up to this size are read and written at once in this thread: a trip to the thread pool costs more. */
const SMALL_FILE = 64 * 1024;

export class FileHandle {
  readonly kind = 'file';
  readonly path: VirtualPath;
  readonly descriptor: number;
  readonly realPath: string;
  readonly settings: Settings;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  readonly opened: FileHandleParts['opened'];
  readonly command: FileHandleParts['command'];
  readonly downloadRate: RateLimiter | null;
  readonly uploadRate: RateLimiter | null;
  readonly sizeLimit: number | null;
  readonly bytesIn: TransferProgress;
  readonly bytesOut: TransferProgress;
  readonly openedAt = performance.now();
  /** As last looked at; reads beyond it look again. */
  size: number;
  /** Size of a file that was there before; null for a new one. */
  readonly previousSize: number | null;
  /** The first write to what was there before decides whether this is a restart. */
  wrote = false;
  /** Said once: a client that reads on behind the end would fill the log. */
  loggedReadBehindEnd = false;
  /** A write failed: the file is not what the client meant it to be. */
  failure: FsError | null = null;

  constructor(parts: FileHandleParts) {
    const { opened } = parts;
    const source = opened.kind === 'read' ? opened.file : opened.upload;
    this.path = parts.path;
    this.descriptor = source.descriptor;
    this.realPath = source.realPath;
    this.settings = source.settings;
    this.readable = parts.readable;
    this.writable = opened.kind === 'update';
    this.append = parts.append;
    this.opened = opened;
    this.command = parts.command;
    this.downloadRate = parts.downloadRate;
    this.uploadRate = parts.uploadRate;
    this.sizeLimit = parts.sizeLimit;
    this.bytesIn = parts.bytesIn;
    this.bytesOut = parts.bytesOut;
    this.previousSize = opened.kind === 'read' ? null : opened.upload.previousSize;
    this.size = opened.kind === 'read' ? opened.file.stats.size : this.stats().size;
  }

  /** Written under its own name: no close gives it one. */
  get inPlace(): boolean {
    return this.opened.kind === 'update' && this.opened.upload.inPlace;
  }

  get small(): boolean {
    return this.size <= SMALL_FILE;
  }

  /** The file as it is now; of an upload, as far as it is written. */
  stats(): Stats {
    return fstatSync(this.descriptor);
  }

  /** Looks at the size anew. */
  refreshSize(): void {
    this.size = this.stats().size;
  }
}
