import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startSessionServer, type SessionServer } from '../support/session-server.ts';

const limit = { timeout: 20_000 };

function fill(server: SessionServer): void {
  const at = (name: string): string => join(server.home, name);
  mkdirSync(at('pub/deep'), { recursive: true });
  writeFileSync(at('b.txt'), '22', { mode: 0o644 });
  writeFileSync(at('a.txt'), '1', { mode: 0o644 });
  writeFileSync(at('.secret'), 'x');
  writeFileSync(at('pub/x.bin'), '333');
  symlinkSync('a.txt', at('link'));
  for (const name of ['a.txt', 'b.txt']) utimesSync(at(name), 0, Date.UTC(2020, 0, 2, 3, 4, 5) / 1000);
}

async function names(server: SessionServer, line: string): Promise<string[]> {
  const client = await server.login();
  const { body } = await client.download(line);
  return body.toString().split('\r\n').slice(0, -1);
}

test('LIST sorts by name, hides dot files and shows link targets', limit, async () => {
  await using server = await startSessionServer({
    settings: { dirFakeUser: 'ftp', dirFakeGroup: 'ftp', timesGMT: true },
  });
  fill(server);
  const lines = await names(server, 'LIST');
  assert.equal(lines[0], '-rw-r--r--   1 ftp      ftp             1 Jan  2  2020 a.txt');
  assert.equal(lines[1], '-rw-r--r--   1 ftp      ftp             2 Jan  2  2020 b.txt');
  assert.match(lines[2] ?? '', /^lrwxrwxrwx .* link -> a\.txt$/);
  assert.match(lines[3] ?? '', /^drwx.* pub$/);
  assert.equal(lines.length, 4);
});

test('options change what LIST and NLST show', limit, async () => {
  await using server = await startSessionServer();
  fill(server);
  assert.deepEqual((await names(server, 'NLST -a')).toSorted(), [
    '.',
    '..',
    '.secret',
    'a.txt',
    'b.txt',
    'link',
    'pub',
  ]);
  assert.deepEqual(await names(server, 'LIST -1r'), ['pub', 'link', 'b.txt', 'a.txt']);
  assert.deepEqual(await names(server, 'LIST -1a'), ['.', '..', '.secret', 'a.txt', 'b.txt', 'link', 'pub']);
  assert.deepEqual(await names(server, 'LIST -1F'), ['a.txt', 'b.txt', 'link@', 'pub/']);
  assert.deepEqual(await names(server, 'LIST -1Sr'), ['a.txt', 'b.txt', 'link', 'pub']);
  assert.deepEqual(await names(server, 'LIST -C'), ['a.txt  b.txt  link   pub']);
  assert.deepEqual(await names(server, 'LIST -1R'), [
    '.:',
    'a.txt',
    'b.txt',
    'link',
    'pub',
    '',
    './pub:',
    'deep',
    'x.bin',
    '',
    './pub/deep:',
  ]);
  assert.deepEqual(await names(server, 'LIST -1d pub'), ['pub']);
  assert.match((await names(server, 'LIST -L link'))[0] ?? '', /^-rw-r--r-- .* link$/);
});

test('wildcards list what matches, unless UseGlobbing is off', limit, async () => {
  await using server = await startSessionServer();
  fill(server);
  assert.deepEqual(await names(server, 'NLST *.txt'), ['a.txt', 'b.txt']);
  assert.deepEqual(await names(server, 'NLST pub/*.{bin,txt}'), ['pub/x.bin']);
  assert.deepEqual((await names(server, 'NLST pub')).toSorted(), ['pub/deep', 'pub/x.bin']);
  await using plain = await startSessionServer({ settings: { useGlobbing: false } });
  fill(plain);
  const client = await plain.login();
  assert.equal((await client.download('NLST *.txt')).opening.text, '*.txt: No such file or directory');
});

test('a missing path is 450 after 150 for LIST, at once for NLST, 550 for MLSD', limit, async () => {
  await using server = await startSessionServer();
  fill(server);
  const client = await server.login();
  const list = await client.download('LIST none');
  assert.deepEqual(
    [list.opening.code, list.final.code, list.final.text],
    [150, 450, 'none: No such file or directory'],
  );
  const nlst = await client.download('NLST none');
  assert.deepEqual([nlst.opening.code, nlst.opening.text], [450, 'none: No such file or directory']);
  assert.equal((await client.download('NLST *.none')).opening.text, 'No files found');
  assert.equal((await client.download('MLSD none')).opening.code, 550);
  assert.equal((await client.download('MLSD a.txt')).opening.text, "'a.txt' is not a directory");
  await using lenient = await startSessionServer({
    settings: { listOptions: { ...NO_OPTIONS, noErrorIfAbsent: true } },
  });
  const other = await lenient.login();
  assert.deepEqual(
    [(await other.download('LIST none')).final.code, (await other.download('NLST none')).final.code],
    [226, 226],
  );
});

const NO_OPTIONS = {
  forced: '',
  removed: '',
  strict: false,
  maxFiles: 0,
  maxDirectories: 0,
  maxDepth: 0,
  listOnly: false,
  nlstOnly: false,
  noErrorIfAbsent: false,
  adjustedSymlinks: false,
  sortedNlst: false,
};

test('ListOptions bounds files and depth', limit, async () => {
  await using server = await startSessionServer({
    settings: { listOptions: { ...NO_OPTIONS, maxFiles: 2, listOnly: true } },
  });
  fill(server);
  assert.equal((await names(server, 'LIST -1R')).filter((name) => /^\w/.test(name)).length, 2);
  assert.equal((await names(server, 'NLST')).length, 4);
  await using shallow = await startSessionServer({
    settings: { listOptions: { ...NO_OPTIONS, maxDepth: 2 } },
  });
  fill(shallow);
  const lines = await names(shallow, 'LIST -1R');
  assert.ok(lines.includes('./pub:') && !lines.includes('./pub/deep:'));
});

test('MLSD names the directory, its parent and every entry', limit, async () => {
  await using server = await startSessionServer({ settings: { factsOptions: ['UseSlink'] } });
  fill(server);
  const client = await server.login();
  await client.command('OPTS MLST type;size');
  const { opening, body } = await client.download('MLSD');
  assert.equal(opening.text, 'Opening BINARY mode data connection for MLSD');
  assert.deepEqual(body.toString().split('\r\n').toSorted(), [
    '',
    'size=1;type=file; .secret',
    'size=1;type=file; a.txt',
    'size=2;type=file; b.txt',
    'size=5;type=OS.unix=slink:a.txt; link',
    'type=cdir; .',
    'type=dir; pub',
    'type=pdir; ..',
  ]);
  assert.deepEqual((await client.command('MLST a.txt')).lines, [
    '250-Start of list for a.txt',
    ' size=1;type=file; /a.txt',
    '250 End of list',
  ]);
});

test('STAT lists a path on the control connection', limit, async () => {
  await using server = await startSessionServer();
  fill(server);
  const client = await server.login();
  const { lines } = await client.command('STAT pub');
  assert.equal(lines[0], '211-Status of pub:');
  assert.match(lines[2] ?? '', /^ -rw.* x\.bin$/);
  assert.equal(lines.at(-1), '211 End of status');
  assert.equal((await client.command('STAT none')).code, 450);
});

test(
  'a listing of 20,000 entries leaves other sessions their turns and is complete',
  { timeout: 60_000 },
  async () => {
    await using server = await startSessionServer();
    mkdirSync(join(server.home, 'many'));
    for (let index = 0; index < 20_000; index += 1)
      writeFileSync(join(server.home, 'many', `file-${index}`), '');
    const client = await server.login();
    const other = await server.login();
    const done = client.download('LIST many');
    let answered = 0;
    let slowest = 0;
    let finished = false;
    void done.finally(() => {
      finished = true;
    });
    while (!finished) {
      const started = performance.now();
      await other.command('NOOP');
      slowest = Math.max(slowest, performance.now() - started);
      answered += 1;
    }
    const { final, body } = await done;
    assert.equal(final.code, 226);
    assert.equal(body.toString().split('\r\n').length - 1, 20_000);
    assert.ok(answered > 3, `the other session was answered ${answered} times`);
    assert.ok(slowest < 1_000, `the slowest answer took ${slowest} ms`);
  },
);
