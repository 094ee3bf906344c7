/** The permission table through SCP: what it has of the operations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessDenied, accessRules, runAccessTable, type AccessDriver } from '../support/access-table.ts';
import { fakeSshSession, type FakeSession } from '../support/fake-ssh-channel.ts';
import { ScpClient, ScpRefusal } from '../support/scp-client.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

async function refusals(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    throw error instanceof ScpRefusal && /permission denied/i.test(error.message)
      ? new AccessDenied()
      : error;
  }
}

function scpDriver(session: FakeSession): AccessDriver {
  return {
    download: (path) =>
      refusals(async () => {
        const content = await new ScpClient(session, `scp -f ${path}`).receiveFile();
        assert.equal(content.toString(), 'old');
      }),
    upload: (path, content) =>
      refusals(() => new ScpClient(session, `scp -t ${path}`).sendFile('file', content)),
    makeDirectory: (path) =>
      refusals(async () => {
        const client = new ScpClient(session, `scp -r -t ${path.slice(0, path.lastIndexOf('/'))}`);
        await client.acknowledged();
        client.send(`D0755 0 ${path.slice(path.lastIndexOf('/') + 1)}\n`);
        await client.acknowledged();
        client.send('E\n');
        await client.acknowledged();
        client.end();
        assert.equal(await client.ended(), 0);
      }),
  };
}

for (const rule of accessRules) {
  test(
    `SCP, ${rule.name}: every operation is answered so, and the disk agrees`,
    { timeout: 20_000 },
    async () => {
      const settings = { allowOverwrite: true, allowStoreRestart: true, allowOverride: false };
      using files = openVfsFixture({
        settings,
        limits: rule.limits,
        directories: { zone: { limits: rule.zone } },
      });
      await runAccessTable(rule, files.root, scpDriver(fakeSshSession({ vfs: files.vfs, settings })));
    },
  );
}
