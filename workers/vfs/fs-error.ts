/** Protocol-neutral file error; each protocol maps `code` to its own answer. */
export type FsErrorCode =
  | 'not-found'
  | 'permission-denied'
  | 'exists'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'not-empty'
  | 'not-regular'
  | 'invalid-name'
  | 'forbidden-name'
  | 'forbidden-argument'
  | 'overwrite-denied'
  | 'rename-denied'
  | 'restart-denied'
  /** REST beyond the end of the file (554). */
  | 'invalid-offset'
  /** REST with HiddenStores in force (501). */
  | 'restart-with-hidden-store'
  | 'append-denied'
  | 'hidden-store-exists'
  | 'too-many-links'
  | 'cross-device'
  | 'no-space'
  | 'quota-exceeded'
  | 'file-too-large'
  | 'limit-exceeded'
  | 'read-only'
  | 'busy'
  | 'io'
  | 'stale'
  | 'timed-out'
  | 'no-memory'
  | 'name-too-long'
  | 'unsupported'
  /** A value out of range, not a name. */
  | 'invalid-argument'
  | 'other';

export class FsError extends Error {
  readonly code: FsErrorCode;
  /** The system's errno name (ENOENT ...) where there is one. */
  readonly errno: string | null;

  constructor(code: FsErrorCode, options: { errno?: string; detail?: string; cause?: unknown } = {}) {
    super(options.detail ?? code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FsError';
    this.code = code;
    this.errno = options.errno ?? null;
  }
}
