import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { ClearingClient } from '../support/clearing-client.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

const trees = certificateTrees();
const options = { timeout: 30_000 };
let server: TlsServer | null = null;

after(async () => {
  assert.deepEqual(server?.bugs, []);
  await server?.close();
});

async function start(): Promise<TlsServer> {
  server ??= await startTlsServer(
    `TLSEngine on\nTLSECCertificateFile ${trees.certAEc.combined}\nTLSRequired auth+data\nTLSTimeoutHandshake 5`,
  );
  return server;
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const closeNotify of [true, false]) {
    const how = closeNotify ? 'with' : 'without';
    test(`${version}: CCC returns to clear text for a client ${how} close_notify`, options, async () => {
      const { port, log } = await start();
      const client = await ClearingClient.connect(port, version);
      assert.equal(await client.command('CCC'), '530 Please login with USER and PASS');
      await client.command('USER alice');
      assert.match(await client.command('PASS secret'), /^230/);
      await client.command('PBSZ 0');
      await client.command('PROT P');
      assert.equal(await client.command('CCC'), '200 Clearing control channel protection');
      client.leaveTls(closeNotify);
      assert.match(await client.command('PWD'), /^257 /);
      assert.equal(await client.command('AUTH TLS'), '534 Unwilling to accept security parameters');
      assert.equal(await client.command('CCC'), '533 CCC not allowed on insecure control connection');
      assert.equal(await client.command('PBSZ 0'), '503 PBSZ not allowed on insecure control connection');
      assert.equal(await client.command('PROT P'), '200 Protection set to Private');
      const passive = await client.command('EPSV');
      const dataPort = Number(/\|\|\|(\d+)\|/.exec(passive)?.[1]);
      client.write('RETR hello.txt\r\n');
      const data = connectTls({ port: dataPort, host: '127.0.0.1', rejectUnauthorized: false });
      const chunks: Buffer[] = [];
      for await (const chunk of data) chunks.push(chunk as Buffer);
      assert.match(Buffer.concat(chunks).toString(), /hello over TLS/);
      assert.match((await client.nextReply()).lines[0] ?? '', /^150/);
      assert.match((await client.nextReply()).lines[0] ?? '', /^226/);
      assert.ok(log.includes('received CCC, clearing control channel protection'));
      client.destroy();
    });
  }
}

test('commands pipelined behind CCC under TLS are not executed', options, async () => {
  const { port } = await start();
  const client = await ClearingClient.connect(port, 'TLSv1.3');
  await client.command('USER alice');
  await client.command('PASS secret');
  client.tls.write('CCC\r\nMKD smuggled\r\n');
  assert.match((await client.nextReply()).lines[0] ?? '', /^200/);
  client.leaveTls(true);
  assert.match(await client.command('CWD smuggled'), /^550/);
  client.destroy();
});
