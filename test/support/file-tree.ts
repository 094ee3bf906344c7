/** A tree of awkward files for mirror tests, and its comparison. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sha256 } from './shared-server.ts';

/** Writes about 6 MiB: spaces, UTF-8, empty files and folders, names that look like options or wildcards. */
export function writeTree(root: string): void {
  const files: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    'one byte': Buffer.from('x'),
    'name with  two spaces.txt': Buffer.from('spaces\n'),
    'ünïcode 日本語 😀.bin': randomBytes(1_000_003),
    'deep/er/and deeper/ö/file': Buffer.from('deep'),
    'deep/-starts-with-dash': Buffer.from('dash'),
    'deep/[brackets] {braces} (parens)': Buffer.from('brackets'),
    'deep/semi;colon & ampersand': Buffer.from('shell'),
    'large.bin': randomBytes(4 * 1024 * 1024 + 1),
    'lines.txt': Buffer.from('unix\nand\r\ndos\r\n'),
  };
  for (let index = 0; index < 40; index += 1)
    files[`many/file ${index}.txt`] = Buffer.from(`number ${index}\n`);
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
  mkdirSync(join(root, 'empty folder'));
}

/** Every file with its checksum, every folder, by path: two equal trees give equal objects. */
export function describeTree(root: string): Record<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  const describe = (path: string): string => (statSync(path).isDirectory() ? 'folder' : sha256(path));
  return Object.fromEntries(names.map((name) => [name, describe(join(root, name))]));
}
