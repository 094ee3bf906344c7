/** Clients newer than the distribution's: an OpenSSH with ML-KEM, and npm's ssh2. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { needsFetched } from '../support/fetched.ts';
import { sharedSshServer } from '../support/ssh-server.ts';

const LIMIT = { timeout: 60_000 };

/** What this test uses of ssh2, which brings no types of its own. */
interface Ssh2Client {
  on(event: 'ready', listener: () => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  connect(options: Readonly<Record<string, unknown>>): this;
  sftp(done: (error: Error | undefined, sftp: Ssh2Sftp) => void): void;
  end(): void;
}

interface Ssh2Sftp {
  fastPut(local: string, remote: string, done: (error?: Error | null) => void): void;
  fastGet(remote: string, local: string, done: (error?: Error | null) => void): void;
  rename(from: string, to: string, done: (error?: Error | null) => void): void;
  readdir(
    path: string,
    done: (error: Error | undefined, list: readonly { readonly filename: string }[]) => void,
  ): void;
}

describe('recent SSH clients', LIMIT, () => {
  const ssh = sharedSshServer();
  const bytes = randomBytes(3_000_017);
  const local = join(ssh.work, 'local.bin');
  writeFileSync(local, bytes);

  test('an OpenSSH that prefers ML-KEM gets it, and rekeys with it while files go both ways', async (t) => {
    const program = needsFetched(t, 'openssh-client');
    if (program === null) return;
    const back = join(ssh.work, 'mlkem.back');
    const { stderr } = await ssh.sftp(
      [`put ${local} mlkem.bin`, `get mlkem.bin ${back}`],
      { RekeyLimit: '1M' },
      ['-S', program, '-v'],
    );
    assert.match(stderr, /kex: algorithm: mlkem768x25519-sha256/);
    assert.ok(stderr.split('kex: algorithm: mlkem768x25519-sha256').length > 4, 'no rekeying was seen');
    assert.equal(bytes.compare(readFileSync(ssh.home('mlkem.bin'))), 0);
    assert.equal(bytes.compare(readFileSync(back)), 0);
  });

  test("npm's ssh2 moves a file both ways, lists and renames", async (t) => {
    const folder = needsFetched(t, 'ssh2');
    if (folder === null) return;
    const require = createRequire(join(folder, 'index.js'));
    const { Client } = require('ssh2') as { readonly Client: new () => Ssh2Client };
    const client = new Client();
    t.after(() => client.end());
    await new Promise<void>((resolve, reject) => {
      client.on('ready', resolve).on('error', reject);
      const { port } = ssh.server;
      client.connect({
        host: '127.0.0.1',
        port,
        username: 'alice',
        password: 'secret',
        readyTimeout: 10_000,
      });
    });
    const sftp = await new Promise<Ssh2Sftp>((resolve, reject) => {
      client.sftp((error, opened) => (error === undefined ? resolve(opened) : reject(error)));
    });
    const done = (start: (finish: (error?: Error | null) => void) => void): Promise<void> =>
      new Promise((resolve, reject) => {
        start((error) => (error === undefined || error === null ? resolve() : reject(error)));
      });
    const back = join(ssh.work, 'ssh2.back');
    await done((finish) => sftp.fastPut(local, 'ssh2.part', finish));
    await done((finish) => sftp.rename('ssh2.part', 'ssh2.bin', finish));
    await done((finish) => sftp.fastGet('ssh2.bin', back, finish));
    const names = await new Promise<readonly string[]>((resolve, reject) => {
      sftp.readdir('.', (error, list) =>
        error === undefined ? resolve(list.map(({ filename }) => filename)) : reject(error),
      );
    });
    assert.ok(names.includes('ssh2.bin') && !names.includes('ssh2.part'), names.join(' '));
    assert.equal(bytes.compare(readFileSync(ssh.home('ssh2.bin'))), 0);
    assert.equal(bytes.compare(readFileSync(back)), 0);
  });
});
