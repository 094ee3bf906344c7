import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeBytesInJson, escapeControls, underscoreBlanks } from '../../../src/log/log-text.ts';
import { passesLevel } from '../../../src/log/log-levels.ts';
import { CONSOLE_LOG, STRUCTURED_LOG, createOperationLog } from '../../../src/log/operation-log.ts';
import { strftime } from '../../../src/log/strftime.ts';
import { formatTransferLine } from '../../../src/log/transfer-log.ts';

const at = new Date(2026, 10, 3, 4, 5, 6, 7);

test('an xferlog line has the wu-ftpd fields in order', () => {
  const line = formatTransferLine(
    {
      finishedAt: at,
      seconds: 1.6,
      bytes: 12,
      realPath: '/srv/ftp/my file.txt',
      ascii: false,
      direction: 'i',
      anonymous: false,
      user: 'alice',
      service: 'ftps',
      identUser: null,
      completed: true,
    },
    'client.example',
  );
  assert.equal(
    line,
    'Tue Nov 03 04:05:06 2026 2 client.example 12 /srv/ftp/my_file.txt b _ i r alice ftps 0 * c\n',
  );
});

test('an xferlog line of an anonymous incomplete download with ident carries a, i and the ident name', () => {
  const line = formatTransferLine(
    {
      finishedAt: at,
      seconds: 0,
      bytes: 0,
      realPath: '/srv/x\nforged',
      ascii: true,
      direction: 'o',
      anonymous: true,
      user: 'me@example',
      service: 'ftp',
      identUser: 'joe',
      completed: false,
    },
    '192.0.2.1',
  );
  assert.equal(line, 'Tue Nov 03 04:05:06 2026 0 192.0.2.1 0 /srv/x_forged a _ o a me@example ftp 1 joe i\n');
});

test('no text brings a control character or a line break into a log', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // oxlint-disable-next-line no-control-regex
      assert.ok(!/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(escapeControls(text)));
      assert.ok(!/\s/.test(underscoreBlanks(text)));
    }),
  );
});

test('SyslogLevel notice hides info and shows warn', () => {
  assert.ok(!passesLevel('info', 'notice'));
  assert.ok(passesLevel('notice', 'notice'));
  assert.ok(passesLevel('warn', 'notice'));
});

test('strftime prints the C locale and leaves unknown conversions alone', () => {
  assert.equal(strftime('%a %b %e %H:%M:%S %Y %j %y %% %Q', at), 'Tue Nov  3 04:05:06 2026 307 26 % %Q');
});

test('the operation log writes JSON for programs and readable lines for people, secrets starred', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-log-'));
  const json = openSync(join(folder, 'json'), 'a');
  const text = openSync(join(folder, 'text'), 'a');
  try {
    const log = createOperationLog({
      descriptors: new Map([
        [STRUCTURED_LOG, json],
        [CONSOLE_LOG, text],
      ]),
      level: 'info',
    });
    log
      .child({ session: 3, client: '192.0.2.9' })
      .notice({ password: 'hunter2' }, 'USER alice: Login successful.\nforged');
    log.debug('not at this level');
    log.notice({ path: 'caf\udce9' }, 'RETR caf\udce9 \\udce9');
    log.error({ err: new Error('boom') }, 'session ended');
    const lines = readFileSync(join(folder, 'json'), 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, 3);
    const bytes = JSON.parse(lines[1]!) as Record<string, unknown>;
    assert.deepEqual([bytes['path'], bytes['msg']], ['caf\\xe9', 'RETR caf\\xe9 \\udce9']);
    const first = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.equal(first['session'], 3);
    assert.equal(first['password'], '***');
    const readable = readFileSync(join(folder, 'text'), 'utf8');
    assert.match(readable, /NOTICE \[3 192\.0\.2\.9\] USER alice: Login successful\.\\x0aforged\n/);
    assert.match(readable, /ERROR {2}session ended\n {4}Error: boom\n/);
    assert.ok(!readable.includes('hunter2') && !lines[0]!.includes('hunter2'));
  } finally {
    closeSync(json);
    closeSync(text);
    rmSync(folder, { recursive: true });
  }
});

test('bytes of a name that are no UTF-8 are escaped in every log, and proper pairs are not', () => {
  assert.equal(escapeControls('caf\udce9 \u{1f480}\n'), 'caf\\xe9 \u{1f480}\\x0a');
  assert.equal(escapeControls(underscoreBlanks('a caf\udce9')), 'a_caf\\xe9');
  assert.ok(escapeControls('\ud800').isWellFormed());
  const json = JSON.stringify({ path: '\udcff', text: '\u{1f480} \\udcff' });
  assert.deepEqual(JSON.parse(escapeBytesInJson(json)), { path: '\\xff', text: '\u{1f480} \\udcff' });
});
