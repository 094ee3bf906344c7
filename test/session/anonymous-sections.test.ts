/** `<Anonymous>` inside conditional sections: both sides mean the same section. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, startServer } from '../support/server.ts';

const ANONYMOUS = (root: string, more = ''): string => `
<Anonymous @DIR@/${root}>
  User ftp
  UserAlias anonymous ftp
  ${more}
</Anonymous>
`;

test('the section of the class is entered, the server’s own elsewhere', { timeout: 60_000 }, async (t) => {
  const config = `${BASE_CONFIG}
<Class near>
  From 127.0.0.1
</Class>
${ANONYMOUS('public')}
<IfClass near>
${ANONYMOUS('near', 'MaxClients 1 "only %m near"')}
</IfClass>
`;
  const server = await startServer(t, config, {
    users: [
      { name: 'alice', password: 'secret' },
      { name: 'ftp', password: 'unused' },
    ],
  });
  for (const name of ['public', 'near']) {
    mkdirSync(join(server.directory, name), { mode: 0o755 });
    writeFileSync(join(server.directory, name, 'where.txt'), name, { mode: 0o644 });
  }
  const connect = async (localAddress: string): Promise<FtpClient> => {
    const client = await FtpClient.connect({ port: server.port, localAddress });
    t.after(() => client.destroy());
    return client;
  };
  const near = await connect('127.0.0.1');
  assert.equal((await near.login('anonymous', 'me@example.org')).code, 230);
  assert.equal(String((await near.download('RETR where.txt')).body), 'near');

  // The limit of the section counts the section's sessions only.
  const second = await connect('127.0.0.1');
  const refused = await second.login('anonymous', 'me@example.org');
  assert.equal(`${refused.code} ${refused.text}`, '530 only 1 near');

  const far = await connect('127.0.0.2');
  assert.equal((await far.login('anonymous', 'me@example.org')).code, 230);
  assert.equal(String((await far.download('RETR where.txt')).body), 'public');
});
