/** SFTP directives over several lines, and what stops a start or is only said; one line each is in ../directives/sftp-cases.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settings } from '../../../src/config/server-config.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { options } from './config-fixtures.ts';

/** Through the server's own tables. */
function load(text: string): ReturnType<typeof loadConfig> {
  const { registry: _tests, ...rest } = options(text);
  return loadConfig(rest);
}

async function refusal(text: string): Promise<string> {
  try {
    await load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.toString();
    throw error;
  }
  return 'accepted';
}

async function setting<K extends keyof Settings>(text: string, key: K): Promise<Settings[K] | undefined> {
  return (await load(text)).config.virtualHosts[0]?.settings[key];
}

test('lines of SFTPHostKey and SFTPOptions add up, and each key remembers its line', async () => {
  const keys = await setting(
    'SFTPHostKey agent:/run/agent\nSFTPHostKey /k\nSFTPHostKey NoRSA',
    'sftpHostKey',
  );
  assert.deepEqual(
    keys?.map((source) => (source.kind === 'without' ? source.type : [source.kind, source.location?.line])),
    [['agent', 1], ['file', 2], 'RSA'],
  );
  const text = 'SFTPOptions IgnoreSFTPUploadPerms\nSFTPOptions PessimisticKexinit';
  assert.deepEqual(await setting(text, 'sftpOptions'), ['IgnoreSFTPUploadPerms', 'PessimisticKexinit']);
});

const REFUSALS: readonly (readonly [string, RegExp])[] = [
  [
    'SFTPEngine on\nSFTPHostKey /k\nTLSEngine on',
    /cannot support both FTPS \(TLSEngine on\) and SFTP \(SFTPEngine on\) for the same host on line \d+ of '/,
  ],
  [
    'SFTPEngine on\nSFTPHostKey /k\nSFTPAuthMethods hostbased',
    /cannot support authentication method 'hostbased' without SFTPAuthorizedHostKeys/,
  ],
  [
    'SFTPEngine on\nSFTPHostKey /k\nSFTPAuthMethods publickey+password',
    /cannot support authentication method 'publickey' without SFTPAuthorizedUserKeys/,
  ],
  [
    'SFTPEngine on\nSFTPHostKey /k\nSFTPAuthMethods keyboard-interactive:otp',
    /unsupported authentication method 'keyboard-interactive:otp': No drivers loaded/,
  ],
  ['SFTPClientMatch "(" channelWindowSize 1MB', /'\(' failed regex compilation/],
  ['SFTPKeyBlacklist keys on line 2', /^fatal: SFTPKeyBlacklist: .* on line 1 of '/],
];

for (const [text, reason] of REFUSALS) {
  test(`${text.replaceAll('\n', ', ')} stops the start`, async () => {
    assert.match(await refusal(text), reason);
  });
}

test('SFTPEngine on without a host key is said, and stops nobody', async () => {
  const { warnings } = await load('SFTPEngine on');
  assert.match(warnings.join('\n'), /no SFTPHostKey, so every session will be refused/);
});

for (const [line, warning] of [
  ['SFTPCiphers none', /'none' lets sessions travel in clear/],
  ['SFTPDigests none hmac-sha2-256', /'none' leaves sessions open to changes/],
  ['SFTPOptions NoStrictKex', /Terrapin/],
  ['SFTPOptions AllowInsecureLogin', /passwords travel/],
] as const) {
  test(`${line} is said at start`, async () => {
    assert.match((await load(line)).warnings.join('\n'), warning);
  });
}
