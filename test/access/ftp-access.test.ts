/** The permission table through FTP, with its rules written as a configuration. */
import { test } from 'node:test';
import type { LimitSection } from '../../src/config/server-config.ts';
import { AccessDenied, accessRules, runAccessTable, type AccessDriver } from '../support/access-table.ts';
import type { FtpClient } from '../support/ftp-client.ts';
import { openFtpFixture } from '../support/ftp-session-fixture.ts';

/** As an administrator writes it. */
function limitText(section: LimitSection): string {
  const lines = [`<Limit ${section.commands.join(' ')}>`];
  if (section.order === 'deny,allow') lines.push('Order deny,allow');
  if (section.denyAll) lines.push('DenyAll');
  if (section.allowAll) lines.push('AllowAll');
  for (const expression of section.allowUser) {
    if (expression.mode === 'regex') throw new Error('the table has no expressions');
    lines.push(`AllowUser ${expression.terms.map(({ name }) => name).join(',')}`);
  }
  return [...lines, '</Limit>', ''].join('\n');
}

function ftpDriver(client: FtpClient): AccessDriver {
  const check = ({ code, text }: { readonly code: number; readonly text: string }): void => {
    if (code < 400) return;
    throw /denied/i.test(text) ? new AccessDenied() : new Error(`${code} ${text}`);
  };
  const command = async (line: string): Promise<void> => check(await client.command(line));
  return {
    download: async (path) => check((await client.download(`RETR ${path}`)).final),
    upload: async (path, content) => check((await client.upload(`STOR ${path}`, Buffer.from(content))).final),
    append: async (path, content) => check((await client.upload(`APPE ${path}`, Buffer.from(content))).final),
    list: async (path) => check((await client.download(`LIST ${path}`)).final),
    changeDirectory: (path) => command(`CWD ${path}`),
    size: (path) => command(`SIZE ${path}`),
    makeDirectory: (path) => command(`MKD ${path}`),
    removeDirectory: (path) => command(`RMD ${path}`),
    removeFile: (path) => command(`DELE ${path}`),
    async rename(from, to) {
      await command(`RNFR ${from}`);
      await command(`RNTO ${to}`);
    },
    changeMode: (path, mode) => command(`SITE CHMOD ${mode.toString(8)} ${path}`),
    setModifyTime: (path, time) => command(`MFMT ${time.toISOString().replace(/[-:T]|\..*/g, '')} ${path}`),
  };
}

for (const rule of accessRules) {
  test(
    `FTP, ${rule.name}: every operation is answered so, and the disk agrees`,
    { timeout: 20_000 },
    async () => {
      const zone = rule.zone.map(limitText).join('');
      await using fixture = await openFtpFixture({
        config: `AllowOverwrite on\nAllowStoreRestart on\n${rule.limits.map(limitText).join('')}<Directory BASE/alice/zone>\n${zone}</Directory>\n`,
        groups: ['staff'],
      });
      const client = await fixture.login();
      await client.command('TYPE I');
      await runAccessTable(rule, fixture.home, ftpDriver(client), { RNTO: ['RNFR', 'RNTO'] });
    },
  );
}
