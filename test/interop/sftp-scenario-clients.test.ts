/** Scenarios 47 to 53: SFTPClientMatch and SFTPMaxChannels. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ByteReader } from '../../src/util/byte-reader.ts';
import type { SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import { startSftpScenarios, type SftpScenarioServer } from '../support/sftp-scenario-server.ts';
import { messageOf } from '../unit/directives/judge-line.ts';

const MEGABYTE = 1024 * 1024;

const HOSTS = {
  plain: '',
  version3: 'SFTPClientMatch ".*WinSCP.*" sftpProtocolVersion 3',
  range: 'SFTPClientMatch WinSCP|ClientSftp sftpProtocolVersion 1-3',
  old: 'SFTPClientMatch "^OpenSSH_3\\\\.*" channelWindowSize 8MB',
  signed: 'SFTPClientMatch ".*WS_FTP.*" channelWindowSize 256MB',
  everybody: 'SFTPClientMatch .* channelWindowSize 256MB',
  layered:
    'SFTPClientMatch "Twice" sftpProtocolVersion 3 channelWindowSize 8MB\n' +
    'SFTPClientMatch "^Tw" sftpProtocolVersion 4',
  ten: '',
  one: 'SFTPMaxChannels 1',
};

describe('SFTPClientMatch and SFTPMaxChannels', { timeout: 60_000 }, () => {
  let server: SftpScenarioServer;
  before(async () => {
    server = await startSftpScenarios(HOSTS);
  });
  after(() => server.close());

  /** Version and extensions a client of this name gets when it asks for version 6. */
  async function greeting(
    host: string,
    software: string,
  ): Promise<{ version: number; versions: string | null }> {
    const login = await server.login(host, { version: `SSH-2.0-${software}` });
    const sftp = await login.openSftp(6);
    const { body } = sftp.replies[0]!;
    login.destroy();
    const reader = new ByteReader(body);
    let versions: string | null = null;
    while (reader.remaining > 0) {
      const name = reader.string().toString();
      const data = reader.string().toString();
      if (name === 'versions') versions = data;
    }
    return { version: sftp.version, versions };
  }

  async function windowOf(host: string, software: string): Promise<number> {
    const login = await server.login(host, { version: `SSH-2.0-${software}` });
    const channel = await login.openChannel();
    login.destroy();
    return channel.window;
  }

  test('scenario 47: WinSCP that asks for version 6 gets 3 under sftpProtocolVersion 3, others get 6', async () => {
    const log = server.sftpLog('version3');
    const matched = await greeting('version3', 'WinSCP_release_6.3');
    assert.equal(matched.version, 3);
    assert.ok(matched.versions === null || matched.versions === '3', `versions ${matched.versions}`);
    await log.line(/using SFTP protocol version 3 for this session \(channel ID 0\)$/);
    assert.deepEqual(await greeting('version3', 'LockgateTest_1.0'), { version: 6, versions: '2,3,4,5,6' });
  });

  test('scenario 48: alternatives match anywhere in the name, and a range caps the version', async () => {
    for (const software of ['WinSCP_release_6.3', 'ClientSftp', '1.0-ClientSftp-9'])
      assert.equal((await greeting('range', software)).version, 3, software);
    assert.equal((await greeting('range', 'Other_1')).version, 6);
    const login = await server.login('range', { version: 'SSH-2.0-ClientSftp' });
    for (const asked of [1, 2, 3] as const) {
      const sftp = await login.openSftp(asked as SftpVersion);
      assert.equal(sftp.version, asked);
    }
    login.destroy();
    assert.match(
      messageOf('SFTPClientMatch WinSCP sftpProtocolVersion 7') ?? '',
      /'sftpProtocolVersion' value 7 must be between 1 and 6/,
    );
    assert.match(
      messageOf('SFTPClientMatch WinSCP sftpProtocolVersion x') ?? '',
      /badly formatted 'sftpProtocolVersion' value: x/,
    );
  });

  test('scenario 49: OpenSSH_3.9p1 gets the window of 8 MB, OpenSSH_10 the default', async () => {
    assert.equal(await windowOf('old', 'OpenSSH_3.9p1 Debian'), 8 * MEGABYTE);
    assert.notEqual(await windowOf('old', 'OpenSSH_10.0'), 8 * MEGABYTE);
    assert.equal(await windowOf('old', 'OpenSSH_10.0'), await windowOf('plain', 'OpenSSH_3.9p1'));
  });

  test('scenario 50: the default window suits clients that take it for signed; 256MB is given where it is asked for', async () => {
    assert.ok((await windowOf('plain', 'WS_FTP-12.0')) < 2 ** 31);
    assert.equal(await windowOf('signed', '1.0.WS_FTP-12'), 268_435_456);
    assert.equal(await windowOf('everybody', 'Axway.Client'), 268_435_456);
  });

  test('scenario 51: a comment behind the software version matches nothing', async () => {
    assert.equal((await greeting('version3', 'Foo_1.0 WinSCP')).version, 6);
  });

  test('scenario 52: bad rules stop the start with their text; of two matching rules the later wins per key', async () => {
    assert.match(messageOf('SFTPClientMatch foo colour red') ?? '', /unknown SFTPClientMatch key: 'colour'/);
    assert.match(
      messageOf('SFTPClientMatch "(" sftpProtocolVersion 3') ?? '',
      /'\(' failed regex compilation: /,
    );
    assert.notEqual(messageOf('SFTPClientMatch foo sftpProtocolVersion'), null);
    assert.notEqual(messageOf('SFTPClientMatch foo'), null);
    assert.match(
      messageOf('SFTPClientMatch foo channelPacketSize 900000') ?? '',
      /'channelPacketSize' value 900000 too large/,
    );
    assert.equal((await greeting('layered', 'Twice_1')).version, 4);
    assert.equal(await windowOf('layered', 'Twice_1'), 8 * MEGABYTE);
    assert.equal((await greeting('layered', 'Not-Twice')).version, 3);
  });

  test('scenario 53: the channel beyond SFTPMaxChannels is refused, and those open go on', async () => {
    const cases = [
      { host: 'ten', count: 10 },
      { host: 'one', count: 1 },
    ];
    for (const { host, count } of cases) {
      const log = server.sftpLog(host);
      const login = await server.login(host);
      const first = await login.openSftp(3);
      for (let open = 1; open < count; open += 1) await login.openSftp(3);
      const answer = await login.tryOpen();
      assert.equal(answer.kind === 'refused' ? answer.code : 'open', 4);
      await log.line(
        new RegExp(
          `: maximum number of channels \\(${count}\\) open, denying request to open 'session' channel$`,
        ),
      );
      assert.ok((await first.list('/')).length >= 2);
      first.channel.eof();
      await new Promise<void>((resolve) => {
        first.channel.onEnd = resolve;
      });
      assert.equal((await login.tryOpen()).kind, 'open', 'a channel that ended makes room');
      login.destroy();
    }
    assert.notEqual(messageOf('SFTPMaxChannels 0'), null);
    assert.notEqual(messageOf('SFTPMaxChannels many'), null);
  });
});
