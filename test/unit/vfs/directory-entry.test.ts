/** Calls on the entries of a pinned directory, by its descriptor and by path. */
import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openEntry, openEntryIfThere, renameEntry } from '../../../workers/vfs/directory-entry.ts';
import { errnoOf } from '../../../workers/vfs/errno-mapping.ts';
import { createPathJail } from '../../../workers/vfs/path-jail.ts';
import { openRootJail, type RootJail } from '../../../workers/vfs/root-jail.ts';

const KINDS: readonly (readonly [name: string, open: (root: string) => RootJail])[] = [
  ['by descriptor', (root) => openRootJail(root)],
  ['by path', (root) => createPathJail(root)],
];

for (const [name, open] of KINDS) {
  suite(`entries of a directory ${name}`, { timeout: 10_000 }, () => {
    const withFolder = (body: (root: string, jail: RootJail) => void): void => {
      const root = mkdtempSync(join(tmpdir(), 'lockgate-entry-'));
      mkdirSync(join(root, 'folder'));
      const jail = open(root);
      try {
        body(root, jail);
      } finally {
        jail.close();
        rmSync(root, { recursive: true, force: true });
      }
    };

    test('what is not there is null, or ENOENT; what is a link is not followed', () => {
      withFolder((root, jail) => {
        using folder = jail.pin('folder', true);
        symlinkSync('/etc/passwd', join(root, 'folder', 'link'));
        assert.equal(openEntryIfThere(folder, 'none', constants.O_RDONLY), null);
        assert.equal(jail.pinEntryIfThere(folder, 'none'), null);
        assert.throws(
          () => openEntry(folder, 'none', constants.O_RDONLY),
          (error) => errnoOf(error) === 'ENOENT',
        );
        assert.throws(
          () => openEntryIfThere(folder, 'link', constants.O_RDONLY | constants.O_NOFOLLOW),
          (error) => errnoOf(error) === 'ELOOP',
        );
        using link = jail.pinEntryIfThere(folder, 'link')!;
        assert.ok(link.stats.isSymbolicLink());
      });
    });

    test('a file is made under its name and takes another, replacing what has it', () => {
      withFolder((root, jail) => {
        using folder = jail.pin('folder', true);
        writeFileSync(join(root, 'folder', 'old'), 'old');
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
        const descriptor = openEntry(folder, 'new', flags, 0o600);
        writeFileSync(descriptor, 'new');
        closeSync(descriptor);
        assert.throws(
          () => openEntry(folder, 'new', flags, 0o600),
          (error) => errnoOf(error) === 'EEXIST',
        );
        renameEntry(folder, 'new', 'old');
        assert.equal(readFileSync(join(root, 'folder', 'old'), 'utf8'), 'new');
        assert.ok(!existsSync(join(root, 'folder', 'new')));
        assert.throws(
          () => renameEntry(folder, 'new', 'old'),
          (error) => errnoOf(error) === 'ENOENT',
        );
      });
    });
  });
}

test('a directory that is moved stays the one that is meant', { timeout: 10_000 }, (context) => {
  const root = mkdtempSync(join(tmpdir(), 'lockgate-entry-'));
  mkdirSync(join(root, 'folder'));
  const jail = openRootJail(root);
  try {
    using folder = jail.pin('folder', true);
    if (folder.descriptor === null) return context.skip('no descriptors of directories here');
    renameSync(join(root, 'folder'), join(root, 'moved'));
    mkdirSync(join(root, 'folder'));
    closeSync(openEntry(folder, 'file', constants.O_WRONLY | constants.O_CREAT, 0o600));
    renameEntry(folder, 'file', 'renamed');
    assert.ok(existsSync(join(root, 'moved', 'renamed')));
  } finally {
    jail.close();
    rmSync(root, { recursive: true, force: true });
  }
});
