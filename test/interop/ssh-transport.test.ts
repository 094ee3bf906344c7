/** OpenSSH's and PuTTY's own clients against the SSH transport; user authentication and services are doubles. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { suite, test, type TestContext } from 'node:test';
import { SOURCE_BLOCK } from '../support/channel-doubles.ts';
import { needsProgram } from '../support/programs.ts';
import { startSshServer, type SshServer, type SshServerOptions } from '../support/ssh-session-server.ts';

const LIMIT = { timeout: 120_000 };
const MEGABYTE = 1024 * 1024;

interface Run {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], input: Buffer | null = null): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? undefined);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, stdout: Buffer.concat(stdout), stderr });
    });
  });
}

function ssh(
  server: SshServer,
  options: readonly string[],
  command: string,
  input: Buffer | null = null,
): Promise<Run> {
  const fixed = ['-F', 'none', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-T'];
  return run('ssh', [...fixed, '-p', String(server.port), ...options, 'alice@127.0.0.1', command], input);
}

async function withServer(
  context: TestContext,
  program: string,
  options: SshServerOptions,
  body: (server: SshServer) => Promise<void>,
): Promise<void> {
  if (!needsProgram(context, program)) return;
  const server = await startSshServer(options);
  try {
    await body(server);
    assert.deepEqual(
      server.lines.filter((line) => line.startsWith('bug:')),
      [],
    );
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

/** What this OpenSSH knows of a kind; newer names are left out where it is older. */
async function known(kind: 'kex' | 'cipher' | 'mac', names: readonly string[]): Promise<string[]> {
  const { stdout } = await run('ssh', ['-Q', kind]);
  const all = stdout.toString().split('\n');
  return names.filter((name) => all.includes(name));
}

suite('OpenSSH', LIMIT, () => {
  test('every key exchange with every host key', async (context) => {
    const offered = [
      'mlkem768x25519-sha256',
      'mlkem768nistp256-sha256',
      'mlkem1024nistp384-sha384',
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'diffie-hellman-group14-sha256',
      'diffie-hellman-group16-sha512',
      'diffie-hellman-group18-sha512',
      'diffie-hellman-group-exchange-sha256',
      'diffie-hellman-group14-sha1',
      'diffie-hellman-group-exchange-sha1',
      'diffie-hellman-group1-sha1',
    ];
    const settings = { sftpKeyExchanges: offered, sftpOptions: ['AllowWeakDH'] as const };
    await withServer(context, 'ssh', { settings, keys: ['ed25519', 'ecdsa', 'rsa'] }, async (server) => {
      const hostKeys = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'];
      for (const [index, name] of (await known('kex', offered)).entries()) {
        const hostKey = hostKeys[index % hostKeys.length]!;
        const options = ['-o', `KexAlgorithms=${name}`, '-o', `HostKeyAlgorithms=${hostKey}`];
        const result = await ssh(server, options, 'source 10');
        assert.equal(
          result.stdout.toString(),
          SOURCE_BLOCK.toString('latin1', 0, 10),
          `${name}: ${result.stderr}`,
        );
        assert.ok(server.lines.includes(` + Session key exchange: ${name}`));
        assert.ok(server.lines.includes(` + Session host key algorithm: ${hostKey}`));
      }
    });
  });

  test('every cipher and MAC, both ways, with keys renewed at every megabyte by either side', async (context) => {
    const sftpCiphers = [
      'aes256-gcm@openssh.com',
      'aes128-gcm@openssh.com',
      'chacha20-poly1305@openssh.com',
      'aes256-ctr',
      'aes192-ctr',
      'aes128-ctr',
      'aes128-cbc',
    ];
    const sftpDigests = [
      'hmac-sha2-256-etm@openssh.com',
      'hmac-sha2-512-etm@openssh.com',
      'hmac-sha2-256',
      'hmac-sha2-512',
      'hmac-sha1',
    ];
    const sftpRekey = { kind: 'required', seconds: 3600, bytes: MEGABYTE, timeoutSeconds: 0 } as const;
    const settings = { sftpCiphers, sftpDigests, sftpRekey };
    await withServer(context, 'ssh', { settings }, async (server) => {
      const macs = await known('mac', sftpDigests);
      const input = randomBytes(5 * MEGABYTE);
      for (const [index, cipher] of (await known('cipher', sftpCiphers)).entries()) {
        const options = ['-c', cipher, '-m', macs[index % macs.length]!];
        if (index % 2 === 0) options.push('-o', 'RekeyLimit=1M');
        const result = await ssh(server, options, 'echo', input);
        assert.equal(result.status, 0, `${cipher}: ${result.stderr}`);
        assert.ok(result.stdout.equals(input), `${cipher}: what came back is not what was sent`);
      }
      const exchanges = server.lines.filter((line) => line.startsWith(' + Session key exchange'));
      assert.ok(exchanges.length > 20, `${exchanges.length} key exchanges`);
    });
  });

  test('compression, both kinds, over rekeys', async (context) => {
    const sftpRekey = { kind: 'required', seconds: 3600, bytes: MEGABYTE / 4, timeoutSeconds: 0 } as const;
    for (const sftpCompression of ['on', 'delayed'] as const) {
      await withServer(context, 'ssh', { settings: { sftpCompression, sftpRekey } }, async (server) => {
        const input = Buffer.concat([Buffer.alloc(4 * MEGABYTE, 'some text '), randomBytes(MEGABYTE)]);
        const result = await ssh(server, ['-C'], 'echo', input);
        assert.ok(result.stdout.equals(input), result.stderr);
        assert.ok(server.sockets[0]!.bytesRead < 2 * MEGABYTE, 'the upload was not compressed');
      });
    }
  });

  test('an upload arrives whole and its exit status comes back', async (context) => {
    await withServer(context, 'ssh', {}, async (server) => {
      const input = randomBytes(40 * MEGABYTE);
      const result = await ssh(server, [], 'sink', input);
      assert.deepEqual([result.status, result.stdout.toString()], [0, 'done\n']);
      assert.equal(
        [...server.channels.digests.values()][0],
        createHash('sha256').update(input).digest('hex'),
      );
      assert.deepEqual(await server.outcomes[0], { reason: 'quit', detail: null });
    });
  });

  test('a shell and a foreign command are refused', async (context) => {
    await withServer(context, 'ssh', {}, async (server) => {
      const known = ['-F', 'none', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
      const target = ['-p', String(server.port), 'alice@127.0.0.1'];
      const terminal = await run('ssh', [...known, '-tt', ...target]);
      assert.match(terminal.stderr, /PTY allocation request failed on channel 0/);
      const shell = await run('ssh', [...known, '-T', ...target]);
      assert.match(shell.stderr, /shell request failed on channel 0/);
      const command = await ssh(server, [], 'ls');
      assert.match(command.stderr, /exec request failed on channel 0/);
    });
  });

  test('the reason of a disconnect is shown to the user', async (context) => {
    await withServer(context, 'ssh', { settings: { timeoutSession: [{ value: 1 }] } }, async (server) => {
      const result = await ssh(server, [], 'hold', null);
      assert.match(result.stderr, /Session timeout \(1 seconds\)/);
    });
  });

  test('ssh-keyscan finds every host key', async (context) => {
    await withServer(context, 'ssh-keyscan', { keys: ['ed25519', 'ecdsa', 'rsa'] }, async (server) => {
      const { stdout } = await run('ssh-keyscan', [
        '-p',
        String(server.port),
        '-t',
        'ed25519,ecdsa,rsa',
        '127.0.0.1',
      ]);
      const types = stdout
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' ')[1]);
      assert.deepEqual(
        types.toSorted((left, right) => (left! < right! ? -1 : 1)),
        ['ecdsa-sha2-nistp256', 'ssh-ed25519', 'ssh-rsa'],
      );
    });
  });
});

suite('PuTTY', LIMIT, () => {
  test('plink sends and receives, with its own window requests', async (context) => {
    await withServer(context, 'plink', {}, async (server) => {
      const key = server.lines;
      const input = randomBytes(3 * MEGABYTE);
      const hostKey = await fingerprint(server);
      const args = [
        '-batch',
        '-ssh',
        '-hostkey',
        hostKey,
        '-P',
        String(server.port),
        'alice@127.0.0.1',
        'echo',
      ];
      const result = await run('plink', args, input);
      assert.ok(result.stdout.equals(input), `${result.stderr}\n${key.join('\n')}`);
    });
  });

  async function fingerprint(server: SshServer): Promise<string> {
    const { stdout } = await run('ssh-keyscan', ['-p', String(server.port), '-t', 'ed25519', '127.0.0.1']);
    const blob = stdout
      .toString()
      .split('\n')
      .find((line) => line.includes('ssh-ed25519'))!
      .split(' ')[2]!;
    return `SHA256:${createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '')}`;
  }
});
