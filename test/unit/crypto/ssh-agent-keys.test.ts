import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createAgentHostKeys } from '../../../crypto/ssh/agent-keys.ts';
import { parsePublicKeyBlob, verifySignature } from '../../../crypto/ssh/keys.ts';
import { needsProgram } from '../../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockgate-agent-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('keys of a running ssh-agent sign with every algorithm of theirs', { timeout: 60_000 }, async (t) => {
  if (!needsProgram(t, 'ssh-agent')) return;
  const socket = join(folder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(async () => {
    agent.kill();
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
  });
  // It prints its environment when the socket stands.
  await once(agent.stdout, 'data');
  for (const [type, bits] of [
    ['ed25519', '256'],
    ['ecdsa', '384'],
    ['rsa', '2048'],
  ] as const) {
    const path = join(folder, type);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-f', path], { timeout: 30_000 });
    const env = { ...process.env, SSH_AUTH_SOCK: socket };
    execFileSync('ssh-add', [path], { env, stdio: 'pipe', timeout: 30_000 });
  }
  const keys = await createAgentHostKeys(socket);
  assert.deepEqual(keys.map((key) => key.type).toSorted(), ['ecdsa-sha2-nistp384', 'ssh-ed25519', 'ssh-rsa']);
  const data = Buffer.from('exchange hash');
  for (const key of keys) {
    assert.equal(key.pkcs8.length, 0);
    for (const algorithm of key.algorithms.filter((name) => name !== 'ssh-rsa')) {
      const signature = await key.sign(algorithm, data);
      assert.equal(verifySignature(parsePublicKeyBlob(key.blob), algorithm, data, signature).valid, true);
    }
  }
});

test('an agent that is not there, refuses or answers nonsense is an error with a fixed text', async (t) => {
  const unreachable = { name: 'HostKeyError', message: /cannot be reached \(ENOENT\)/ };
  await assert.rejects(createAgentHostKeys(join(folder, 'nobody')), unreachable);
  const answers: readonly (readonly [answer: string, reason: RegExp])[] = [
    ['0000000105', /refused/],
    ['ffffffff', /nonsense/],
    ['0000000000', /nonsense/],
    ['000000050cffffffff', /nonsense/],
    ['000000090c00000001fffffff0', /nonsense/],
    ['', /closed the connection/],
  ];
  for (const [index, [answer, reason]] of answers.entries()) {
    const path = join(folder, `fake-${index}`);
    const server = createServer((socket) => {
      socket.once('data', () => socket.end(Buffer.from(answer, 'hex')));
    }).listen(path);
    t.after(() => server.close());
    await once(server, 'listening');
    await assert.rejects(createAgentHostKeys(path), { name: 'HostKeyError', message: reason });
  }
});
