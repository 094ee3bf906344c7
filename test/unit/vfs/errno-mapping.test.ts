import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { errnoOf, fsErrorOf, toFsError } from '../../../workers/vfs/errno-mapping.ts';
import { FsError, type FsErrorCode } from '../../../workers/vfs/fs-error.ts';

test('each errno a peer is told about has its own code', () => {
  const expected: Readonly<Record<string, FsErrorCode>> = {
    ENOENT: 'not-found',
    EACCES: 'permission-denied',
    EPERM: 'permission-denied',
    ENOSPC: 'no-space',
    EDQUOT: 'quota-exceeded',
    EFBIG: 'file-too-large',
    EROFS: 'read-only',
    EMLINK: 'too-many-links',
    ELOOP: 'too-many-links',
    ENAMETOOLONG: 'name-too-long',
    EXDEV: 'cross-device',
    ENOTEMPTY: 'not-empty',
    EBUSY: 'busy',
    EIO: 'io',
    ESTALE: 'stale',
    ETIMEDOUT: 'timed-out',
    ENOMEM: 'no-memory',
    EPROTO: 'other',
  };
  for (const [errno, code] of Object.entries(expected)) {
    const error = fsErrorOf(errno);
    assert.deepEqual([error.code, error.errno], [code, errno]);
  }
});

test("a system error keeps its errno, an FsError stays itself, and Node's own errors are no errno", () => {
  const thrownBy = (act: () => unknown): unknown => {
    try {
      act();
    } catch (error) {
      return error;
    }
    return assert.fail('nothing was thrown');
  };
  const missing = toFsError(thrownBy(() => fs.statSync('/nonexistent')));
  assert.deepEqual([missing.code, missing.errno], ['not-found', 'ENOENT']);
  const own = new FsError('overwrite-denied');
  assert.equal(toFsError(own), own);
  assert.equal(errnoOf(thrownBy(() => fs.statSync('a\0b'))), null);
  assert.equal(toFsError(new TypeError('bug')).code, 'other');
});
