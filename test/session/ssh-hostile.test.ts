/** What a client that has logged in could make a session hold by asking for it again and again. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { SshClient } from '../support/ssh-client.ts';
import { startSshServer } from '../support/ssh-session-server.ts';

suite('ssh: requests without end', { timeout: 30_000 }, () => {
  test('variables of many channels do not pile up in the session', async () => {
    await using server = await startSshServer({ settings: { sftpAcceptEnv: ['*'] } });
    const client = await SshClient.login({ port: server.port });
    const before = server.facts[0]!.environment.size;
    for (let round = 0; round < 5; round += 1) {
      const channel = await client.openChannel();
      for (let index = 0; index < 100; index += 1) {
        const data = new ByteWriter().string(`VARIABLE_${round}_${index}`).string('x'.repeat(8_000)).finish();
        channel.request('env', index === 99, data);
      }
      const answer = await client.next();
      assert.ok(answer?.[0] === 99 || answer?.[0] === 100);
      channel.close();
      await client.expect(97);
    }
    assert.equal(server.facts[0]!.environment.size - before, 128);
    assert.ok(server.lines.every((line) => line.length < 2_000));
    client.destroy();
  });

  test("what the server says about a session is not a client's to change", async () => {
    await using server = await startSshServer({ settings: { sftpAcceptEnv: ['*'] } });
    const client = await SshClient.login({ port: server.port });
    const { environment } = server.facts[0]!;
    environment.set('SSH_CONNECTION', '192.0.2.1 1 192.0.2.2 22');
    const channel = await client.openChannel();
    for (const value of ['A', 'B']) {
      channel.request('env', true, new ByteWriter().string('OWN').string(value).finish());
      assert.equal((await client.next())?.[0], 99);
    }
    channel.request('env', true, new ByteWriter().string('SSH_CONNECTION').string('forged').finish());
    assert.equal((await client.next())?.[0], 100);
    assert.equal(environment.get('SSH_CONNECTION'), '192.0.2.1 1 192.0.2.2 22');
    assert.equal(environment.get('OWN'), 'B');
    client.destroy();
  });

  test('long commands and algorithm lists are cut in the log', async () => {
    await using server = await startSshServer();
    const client = await SshClient.login({ port: server.port });
    const channel = await client.openChannel();
    channel.request('exec', true, new ByteWriter().string('x'.repeat(60_000)).finish());
    await client.expect(100);
    client.destroy();
    const names = Array.from({ length: 900 }, (_, index) => `unknown-algorithm-of-a-long-name-${index}`);
    const stranger = await SshClient.open({ port: server.port, keyExchanges: names });
    stranger.sendVersion();
    stranger.sendKexInit();
    assert.equal((await stranger.disconnected())?.code, 3);
    assert.ok(server.lines.some((line) => line.startsWith('no shared key exchange algorithm')));
    assert.ok(server.lines.every((line) => line.length < 4_000));
  });
});
