/**
 * Extended attributes (xattr(7)) of a file by a path that names exactly it. Only the `user.` namespace: the others are
 * the system's (`security.`, `trusted.`), and this thread keeps capabilities its user does not have.
 */
import { bindFunctions, errnoOfResult } from '../../src/util/native-functions.ts';
import { nativePathText } from '../../src/util/path-text.ts';
import { fsErrorOf } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import type { ExtendedAttributes } from './types.ts';

const NAMESPACE = 'user.';
/** XATTR_NAME_MAX. */
const NAME_BYTES = 255;
const VALUE_BYTES = 65_536;
const LIST_BYTES = 65_536;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

const calls =
  process.platform === 'linux'
    ? bindFunctions({
        getxattr: { arguments: ['string', 'string', 'buffer', 'u64'], return: 'i64' },
        listxattr: { arguments: ['string', 'buffer', 'u64'], return: 'i64' },
        setxattr: { arguments: ['string', 'string', 'buffer', 'u64', 'i32'], return: 'i32' },
        removexattr: { arguments: ['string', 'string'], return: 'i32' },
      })
    : null;

/** Attributes of the file at `path`, a link followed. Errors are FsError; ENODATA is `not-found`. */
export function extendedAttributesAt(name: string): ExtendedAttributes {
  const path = nativePathText(name);
  return {
    get(name, maxBytes) {
      const bytes = Buffer.alloc(Math.min(maxBytes, VALUE_BYTES) || 1);
      const length = checked('getxattr', path, systemName(name), bytes, BigInt(bytes.length));
      if (length > maxBytes) throw new FsError('invalid-argument');
      return bytes.subarray(0, length);
    },
    list(maxBytes) {
      const bytes = Buffer.alloc(LIST_BYTES);
      const length = checked('listxattr', path, bytes, BigInt(bytes.length));
      const names = bytes.toString('utf8', 0, length).split('\0');
      const own = names.filter((name) => name.startsWith(NAMESPACE));
      if (own.reduce((sum, name) => sum + Buffer.byteLength(name) + 4, 0) > maxBytes) {
        throw new FsError('invalid-argument');
      }
      return own;
    },
    set(name, value, mode) {
      if (value.length > VALUE_BYTES) throw new FsError('invalid-argument');
      const flags = mode === 'create' ? XATTR_CREATE : mode === 'replace' ? XATTR_REPLACE : 0;
      // FFI takes no empty buffer; the length is what counts.
      const bytes = value.length === 0 ? Buffer.alloc(1) : Buffer.from(value);
      checked('setxattr', path, systemName(name), bytes, BigInt(value.length), flags);
    },
    remove(name) {
      checked('removexattr', path, systemName(name));
    },
  };
}

/** Names are given whole, as getfattr(1) shows them: `user.comment`. */
function systemName(name: string): string {
  if (name.includes('\0') || Buffer.byteLength(name) > NAME_BYTES) throw new FsError('invalid-argument');
  if (!name.startsWith(NAMESPACE) || name === NAMESPACE) throw fsErrorOf('EACCES');
  return name;
}

function checked(name: string, ...values: unknown[]): number {
  if (calls === null) throw fsErrorOf('ENOTSUP');
  const result = calls.call(name, ...values);
  if (result >= 0) return result;
  const errno = errnoOfResult(result);
  if (errno === 'ENODATA') throw new FsError('not-found', { errno });
  if (errno === 'ERANGE' || errno === 'E2BIG') throw new FsError('invalid-argument', { errno });
  throw fsErrorOf(errno);
}
