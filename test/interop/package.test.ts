/** What `npm pack` makes can be installed and used: the program, its types, and `createServer` in another program. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, prepare, TLS_CONFIG } from '../support/server.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = ['src', 'workers', 'crypto', 'bin', 'docs', 'tsconfig.json', 'tsconfig.build.json'];
const MANIFESTS = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'];

/** A program as an embedder writes it; it reports events as JSON lines and stops when its standard input ends. */
const PROGRAM = `
import { readFileSync } from 'node:fs';
import { createServer } from 'lockgate';

const say = (event, value) => console.log(JSON.stringify({ event, ...value }));
const server = createServer({ config: readFileSync(process.argv[2], 'utf8'), workers: 1 });
for (const event of ['login', 'transfer', 'logout']) server.on(event, (value) => say(event, value));
server.on('session-error', (session, error) => say('session-error', { message: error.message }));
await server.listen();
say('listening', { port: server.address().port });
process.stdin.resume();
process.stdin.on('end', async () => {
  await server.close({ grace: 5_000 });
  say('closed', { sessions: server.sessionCount });
});
`;

/** Compiles against the declarations; each expected error is one the compiler has to find. */
const TYPED_PROGRAM = `
import { createServer, type ServerOptions, type TransferInfo } from 'lockgate';

const options: ServerOptions = { port: 2121, users: { passwordFile: '/etc/ftpd.passwd' } };
const server = createServer({ options });
server.on('transfer', ({ bytes, user }: TransferInfo) => console.log(bytes + 1, user?.length));
// @ts-expect-error a configuration is a text
createServer({ config: 3 });
// @ts-expect-error one source of configuration, not two
createServer({ config: '', file: '/etc/proftpd.conf' });
`;

/** Packs a copy of the tree, so that a `dist` never appears beside sources that other tests run. */
async function pack(folder: string): Promise<string> {
  const copy = join(folder, 'copy');
  mkdirSync(copy);
  for (const name of [...SOURCES, ...MANIFESTS])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: copy });
  assert.ok(!existsSync(join(copy, 'dist')), 'postpack removes what prepack compiled');
  return join(folder, /"filename": "([^"]+)"/.exec(stdout)![1]!);
}

/** Returns false, the test marked as skipped, where no registry can be reached. */
async function install(t: TestContext, tarball: string, application: string): Promise<boolean> {
  mkdirSync(application);
  writeFileSync(join(application, 'package.json'), '{ "private": true }\n');
  // Optional: packages of 120 MB that bring Node.js, which this test already has.
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--omit=optional'];
  try {
    await run('npm', ['install', ...options, tarball], { cwd: application, timeout: 90_000 });
    return true;
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED/.test(stderr ?? '');
    if (!unreachable || process.env['CI'] === 'true') throw error;
    t.skip('no package registry can be reached');
    return false;
  }
}

/** Only Node.js comes from outside: the caller's own, as where the platform's package is missing. */
function environmentOf(application: string): NodeJS.ProcessEnv {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.startsWith(ROOT));
  const programs = join(application, 'programs');
  mkdirSync(programs);
  symlinkSync(process.execPath, join(programs, 'node'));
  return { ...process.env, PATH: [programs, ...path].join(delimiter) };
}

interface Reported {
  readonly event: string;
  readonly [name: string]: unknown;
}

/** Lines of the program by event name; a wait ends with the program. */
function reportsOf(child: ChildProcess): (event: string) => Promise<Reported> {
  const seen: Reported[] = [];
  const lines = createInterface({ input: child.stdout! });
  lines.on('line', (line) => seen.push(JSON.parse(line) as Reported));
  const ended = once(lines, 'close').then(() =>
    Promise.reject(new Error(`ended after ${JSON.stringify(seen)}`)),
  );
  ended.catch(() => undefined);
  return async (event) => {
    for (;;) {
      const report = seen.find((candidate) => candidate.event === event);
      if (report !== undefined) return report;
      await Promise.race([once(lines, 'line'), ended]);
    }
  };
}

test(
  'the packed package installs, prints its version, and serves a program',
  { timeout: 180_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'lockgate-package-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const tarball = await pack(folder);
    const application = join(folder, 'application');
    if (!(await install(t, tarball, application))) return;
    const environment = environmentOf(application);

    await t.test('npx lockgate -v answers', async () => {
      const { stdout } = await run('npx', ['--no-install', 'lockgate', '-v'], {
        cwd: application,
        env: environment,
      });
      assert.match(stdout, /^ProFTPD Version \S+ \(Lockgate \d+\.\d+\.\d+\)\n$/);
      assert.ok(!existsSync(join(application, 'node_modules', 'lockgate', 'src')), 'sources stay at home');
    });

    await t.test('programs compile against its declarations', async () => {
      writeFileSync(join(application, 'typed.mts'), TYPED_PROGRAM);
      const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
      const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];
      const options = [
        '--noEmit',
        '--strict',
        '--module',
        'nodenext',
        '--target',
        'es2024',
        ...types,
        'typed.mts',
      ];
      await run(compiler, options, { cwd: application }).catch((error: { stdout: string }) =>
        assert.fail(error.stdout),
      );
    });

    await t.test(
      'a program sees login, transfer and logout, and close waits for the sessions',
      async (context) => {
        const base = await prepare(context, BASE_CONFIG + TLS_CONFIG);
        writeFileSync(join(application, 'serve.mjs'), PROGRAM);
        const child = spawn(process.execPath, ['serve.mjs', base.configFile], {
          cwd: application,
          env: environment,
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        context.after(() => child.kill('SIGKILL'));
        const exited = once(child, 'exit');
        const reported = reportsOf(child);
        assert.equal((await reported('listening'))['port'], base.port);

        const client = await FtpClient.connect({ port: base.port });
        context.after(() => client.destroy());
        await client.loginTls('alice', 'secret');
        const { final } = await client.upload('STOR hello.txt', Buffer.from('hello\n'), {
          tls: { session: 'resume' },
        });
        assert.equal(final.code, 226);
        await client.quit();

        assert.equal((await reported('login'))['user'], 'alice');
        const transfer = await reported('transfer');
        assert.deepEqual(
          [transfer['direction'], transfer['path'], transfer['bytes'], transfer['completed']],
          ['upload', '/hello.txt', 6, true],
        );
        const logout = await reported('logout');
        assert.deepEqual([logout['user'], logout['reason']], ['alice', 'quit']);
        child.stdin.end();
        assert.equal((await reported('closed'))['sessions'], 0);
        assert.deepEqual(await exited, [0, null]);
      },
    );
  },
);
