/** errno -> FsError: what the kernel said, in words every protocol understands. */
import { FsError, type FsErrorCode } from './fs-error.ts';

const codeByErrno: Readonly<Record<string, FsErrorCode>> = {
  ENOENT: 'not-found',
  EACCES: 'permission-denied',
  EPERM: 'permission-denied',
  EEXIST: 'exists',
  ENOTDIR: 'not-a-directory',
  EISDIR: 'is-a-directory',
  ENOTEMPTY: 'not-empty',
  EINVAL: 'invalid-name',
  EILSEQ: 'invalid-name',
  ELOOP: 'too-many-links',
  EMLINK: 'too-many-links',
  EXDEV: 'cross-device',
  ENOSPC: 'no-space',
  EDQUOT: 'quota-exceeded',
  EFBIG: 'file-too-large',
  EOVERFLOW: 'file-too-large',
  EMFILE: 'limit-exceeded',
  ENFILE: 'limit-exceeded',
  EROFS: 'read-only',
  EBUSY: 'busy',
  ETXTBSY: 'busy',
  EAGAIN: 'busy',
  EIO: 'io',
  ENXIO: 'not-regular',
  ENODEV: 'not-regular',
  ESTALE: 'stale',
  ENOLCK: 'stale',
  ETIMEDOUT: 'timed-out',
  ENOMEM: 'no-memory',
  ENAMETOOLONG: 'name-too-long',
  ENOSYS: 'unsupported',
  EOPNOTSUPP: 'unsupported',
  ENOTSUP: 'unsupported',
};

/** Errors of `node:fs` and of a descriptor's reads and writes; an FsError comes back unchanged. */
export function toFsError(error: unknown): FsError {
  if (error instanceof FsError) return error;
  const errno = errnoOf(error);
  if (errno === null) return new FsError('other', { cause: error });
  return new FsError(codeByErrno[errno] ?? 'other', { errno, cause: error });
}

/** Error for an errno name alone, as the native calls report it. */
export function fsErrorOf(errno: string): FsError {
  return new FsError(codeByErrno[errno] ?? 'other', { errno });
}

/** `ENOENT` ... when the error came from the system, else null. */
export function errnoOf(error: unknown): string | null {
  if (error instanceof FsError) return error.errno;
  if (!(error instanceof Error)) return null;
  const code = (error as NodeJS.ErrnoException).code;
  // ERR_* are Node's own argument errors, not the kernel's.
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

/** What `find` finds; null where it fails because there is no such entry. */
export function nullIfAbsent<T>(find: () => T): T | null {
  try {
    return find();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null;
    throw error;
  }
}
