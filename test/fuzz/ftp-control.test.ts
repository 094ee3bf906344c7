/** Arbitrary bytes on the control connection: never a crash, a hang, growth, or an answer that is no FTP reply. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CommandQueue } from '../../workers/ftp/command-queue.ts';
import { LineDecoder } from '../../workers/ftp/wire/line-decoder.ts';
import { parseCommandLine } from '../../workers/ftp/wire/command-line.ts';
import { encodeReply } from '../../workers/ftp/wire/reply.ts';
import { openFtpFixture } from '../support/ftp-session-fixture.ts';

const LIMIT = 64;

/** Bytes that mean something to the decoder come often. */
const telnetByte = fc.constantFrom(0, 10, 13, 32, 65, 240, 242, 244, 250, 251, 253, 255);
const stream = fc.array(
  fc.oneof({ weight: 3, arbitrary: telnetByte }, { weight: 1, arbitrary: fc.nat(255) }),
  {
    maxLength: 200,
    size: 'max',
  },
);

function linesOf(decoder: LineDecoder, chunks: readonly Buffer[]): string[] {
  const lines: string[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let line = decoder.next(); line !== null; line = decoder.next()) {
      lines.push(line.kind === 'line' ? line.bytes.toString('hex') : line.kind);
    }
  }
  return lines;
}

test('a stream gives the same lines wherever it is split', () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const whole = Buffer.from(bytes);
      const expected = linesOf(new LineDecoder(LIMIT), [whole]);
      for (let cut = 1; cut < whole.length; cut += 1) {
        const parts = [whole.subarray(0, cut), whole.subarray(cut)];
        assert.deepEqual(linesOf(new LineDecoder(LIMIT), parts), expected);
      }
      const single = [...whole].map((byte) => Buffer.from([byte]));
      assert.deepEqual(linesOf(new LineDecoder(LIMIT), single), expected);
    }),
    { numRuns: 200 },
  );
});

test('no line is longer than the limit and none holds a line end', () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      for (const line of linesOf(new LineDecoder(LIMIT), [Buffer.from(bytes)])) {
        if (line === 'overlong') continue;
        const content = Buffer.from(line, 'hex');
        assert.ok(content.length <= LIMIT - 2);
        assert.ok(!content.includes(10));
      }
    }),
  );
});

test('every line is a command or garbage; a command has a printable verb and no NUL', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const parsed = parseCommandLine(Buffer.from(bytes));
      if (parsed.kind === 'garbage') return;
      assert.match(parsed.verb, /^[!-~]+$/);
      assert.ok(!parsed.argument.includes('\0'));
    }),
  );
});

test('whatever a reply says, each of its lines belongs to it', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 599 }),
      text,
      fc.array(text, { maxLength: 4 }),
      text,
      (code, first, body, end) => {
        const lines = encodeReply({ code, text: first, body, end }).split('\r\n');
        assert.equal(lines.pop(), '');
        assert.equal(lines.length, body.length + 2);
        assert.ok(lines[0]?.startsWith(`${code}-`));
        assert.ok(lines.slice(1, -1).every((line) => line.startsWith(' ')));
        assert.ok(lines.at(-1)?.startsWith(`${code} `));
      },
    ),
  );
});

test('the queue keeps the order of what it looks past', () => {
  const verb = fc.constantFrom('NOOP', 'PWD', 'ABOR', 'STAT', 'TYPE');
  fc.assert(
    fc.property(fc.array(verb, { maxLength: 150 }), (verbs) => {
      const queue = new CommandQueue(512);
      queue.push(Buffer.from(verbs.map((name) => `${name}\r\n`).join('')));
      const urgent: string[] = [];
      const rest: string[] = [];
      for (;;) {
        const input = queue.takeFirst(
          (candidate) => candidate.kind === 'command' && candidate.verb === 'ABOR',
        );
        if (input?.kind !== 'command') break;
        urgent.push(input.verb);
      }
      for (let input = queue.next(); input !== null; input = queue.next()) {
        if (input.kind === 'command') rest.push(input.verb);
      }
      const within = verbs.findIndex(
        (_, index) => verbs.slice(0, index + 1).filter((name) => name !== 'ABOR').length > 64,
      );
      const reachable = within === -1 ? verbs : verbs.slice(0, within);
      assert.equal(urgent.length, reachable.filter((name) => name === 'ABOR').length);
      assert.deepEqual(
        [...rest.filter((name) => name !== 'ABOR')],
        verbs.filter((name) => name !== 'ABOR'),
      );
    }),
  );
});

const verbs = [
  ...[
    'USER',
    'PASS',
    'ACCT',
    'CWD',
    'CDUP',
    'PWD',
    'MKD',
    'RMD',
    'DELE',
    'RNFR',
    'RNTO',
    'SIZE',
    'MDTM',
    'MFMT',
    'MFF',
  ],
  ...[
    'TYPE',
    'STRU',
    'MODE',
    'SITE',
    'FEAT',
    'OPTS',
    'SYST',
    'HELP',
    'NOOP',
    'CLNT',
    'CSID',
    'LANG',
    'HOST',
    'STAT',
  ],
  ...[
    'REST',
    'RANG',
    'ALLO',
    'ABOR',
    'PASV',
    'EPSV',
    'PORT',
    'EPRT',
    'AUTH',
    'PBSZ',
    'PROT',
    'CCC',
    'SSCN',
    'MLST',
  ],
];
const argument = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    '/',
    '~',
    'a.txt',
    'CHMOD 777 a',
    'CHMOD u+x',
    '0',
    '99999999999999999999',
    'A N',
    '*',
  ),
  fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !/[\r\n\0\xff]/.test(text)),
);
const commandLine = fc
  .tuple(fc.constantFrom(...verbs), argument)
  .map(([verb, text]) => (text === '' ? verb : `${verb} ${text}`));

test(
  'any command with any argument has exactly one reply, before and after login',
  { timeout: 60_000 },
  async () => {
    await using fixture = await openFtpFixture({
      config: 'MaxLoginAttempts 0\nCommandBufferSize 1024\nAllowOverwrite on\n',
    });
    for (const loggedIn of [false, true]) {
      await fc.assert(
        fc.asyncProperty(fc.array(commandLine, { minLength: 1, maxLength: 20 }), async (lines) => {
          const client = loggedIn ? await fixture.login() : await fixture.connect();
          client.send(...lines, 'SYST');
          for (const line of lines) {
            const { code } = await client.readReply();
            assert.ok(code >= 200 && code <= 599, `${line}: ${code}`);
          }
          const last = await client.readReply();
          assert.ok(last.code === 215 || last.code === 501, `SYST answered ${last.lines.join('|')}`);
          client.destroy();
        }),
        { numRuns: 60 },
      );
    }
    assert.deepEqual(
      fixture.lines.filter((line) => line.startsWith('bug')),
      [],
    );
  },
);

test(
  'random bytes in random pieces never break the server, and the next client is served',
  { timeout: 60_000 },
  async () => {
    await using fixture = await openFtpFixture();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 12 }),
        async (chunks) => {
          const client = await fixture.connect();
          for (const chunk of chunks) client.sendRaw(chunk);
          client.stream.end();
          await client.waitClosed();
          const next = await fixture.connect();
          assert.equal((await next.command('NOOP')).code, 200);
          next.destroy();
        },
      ),
      { numRuns: 60 },
    );
    assert.deepEqual(
      fixture.lines.filter((line) => line.startsWith('bug')),
      [],
    );
  },
);
