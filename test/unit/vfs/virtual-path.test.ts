import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FsError } from '../../../workers/vfs/fs-error.ts';
import type { VirtualPath } from '../../../workers/vfs/types.ts';
import {
  belowRoot,
  joinRoot,
  resolveVirtualPath,
  rootPath,
  splitVirtualPath,
} from '../../../workers/vfs/virtual-path.ts';

const path = (text: string): VirtualPath => text as VirtualPath;

const argument = fc
  .array(
    fc.oneof(fc.constantFrom('..', '.', '', '~', 'a', '\\', '~bob', '...'), fc.string({ unit: 'grapheme' })),
  )
  .map((components) => components.join('/').replace(/[\0\r\n]/g, ''));

test('a resolved path is absolute, normalised and never above the root', () => {
  fc.assert(
    fc.property(argument, argument, argument, (text, cwdText, homeText) => {
      const cwd = resolveVirtualPath(cwdText, rootPath, rootPath);
      const home = resolveVirtualPath(homeText, rootPath, rootPath);
      const resolved = resolveVirtualPath(text, cwd, home);
      assert.ok(resolved.startsWith('/'));
      const components = resolved === '/' ? [] : resolved.slice(1).split('/');
      assert.ok(
        components.every((component) => !['', '.', '..'].includes(component)),
        resolved,
      );
    }),
  );
});

test('resolving a resolved path changes nothing, wherever the session stands', () => {
  fc.assert(
    fc.property(argument, argument, (text, cwdText) => {
      const cwd = resolveVirtualPath(cwdText, rootPath, rootPath);
      const once = resolveVirtualPath(text, cwd, rootPath);
      assert.equal(resolveVirtualPath(once, cwd, path('/home')), once);
    }),
  );
});

test('directory and name put together are the path again', () => {
  fc.assert(
    fc.property(argument, (text) => {
      const whole = resolveVirtualPath(text, rootPath, rootPath);
      const { directory, name } = splitVirtualPath(whole);
      assert.equal(resolveVirtualPath(`./${name}`, directory, rootPath), whole);
    }),
  );
});

test('a path below a root comes back from its real name', () => {
  fc.assert(
    fc.property(argument, fc.constantFrom('/', '/srv/ftp'), (text, root) => {
      const whole = resolveVirtualPath(text, rootPath, rootPath);
      assert.equal(belowRoot(root, joinRoot(root, whole)), whole);
    }),
  );
});

test('a tilde is the home only as the whole first component', () => {
  const home = path('/home/alice');
  const cwd = path('/pub');
  assert.equal(resolveVirtualPath('~', cwd, home), '/home/alice');
  assert.equal(resolveVirtualPath('~/x', cwd, home), '/home/alice/x');
  assert.equal(resolveVirtualPath('~bob', cwd, home), '/pub/~bob');
  assert.equal(resolveVirtualPath('./~', cwd, home), '/pub/~');
});

test('a backslash is an ordinary character', () => {
  assert.equal(resolveVirtualPath('..\\..\\etc', path('/a/b'), rootPath), '/a/b/..\\..\\etc');
});

test('NUL, CR and LF are refused', () => {
  for (const text of ['a\0b', 'a\r', '\nb', '~\0']) {
    assert.throws(
      () => resolveVirtualPath(text, rootPath, rootPath),
      (error) => error instanceof FsError && error.code === 'invalid-name',
    );
  }
});

test('a sibling whose name begins like the root is not below it', () => {
  assert.equal(belowRoot('/srv/ftp', '/srv/ftp-private/x'), null);
  assert.equal(belowRoot('/srv/ftp', '/srv'), null);
});
