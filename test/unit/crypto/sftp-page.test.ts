/** docs/sftp.md lists the algorithms the profiles have. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sshProfile } from '../../../crypto/ssh-algorithms.ts';

const page = readFileSync(new URL('../../../docs/sftp.md', import.meta.url), 'utf8');
const profile = sshProfile(null);
const fips = sshProfile({ edDsa: true, mlKem: true });

for (const [directive, kind] of [
  ['SFTPKeyExchanges', 'keyExchanges'],
  ['SFTPHostKeys', 'hostKeys'],
  ['SFTPCiphers', 'ciphers'],
  ['SFTPDigests', 'macs'],
  ['SFTPAuthPublicKeys', 'publicKeys'],
] as const) {
  test(`${directive}: the page's row is what is offered, what can be named, and what FIPS leaves`, () => {
    const row = page.split('\n').find((line) => line.startsWith(`| ${directive} `));
    const cells = row?.split('|').slice(2, 5) ?? [];
    const names = cells.map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
    const { default: offered, allowed } = profile[kind];
    assert.deepEqual(names, [offered, allowed.slice(offered.length), fips[kind].default]);
  });
}
