/** Another process flips a link between a folder inside the root and one outside of it while clients go through it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, type ChildServer } from '../support/server.ts';
import { loggedIn, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const FLIPPER = fileURLToPath(new URL('../support/flip-links.ts', import.meta.url));
const INSIDE = 'what the user may see';
const OUTSIDE = 'SECRET-OF-THE-SERVER-ITSELF';
const PIPELINED_COMMANDS = 6_000;
const COMMANDS_PER_BATCH = 200;
const TRANSFERS = 400;

describe('links that flip between inside and outside', LIMIT, () => {
  const shared = sharedServer(BASE_CONFIG);

  test('no reply and no data connection ever carries a byte from outside, and nothing is written there', async (t) => {
    const { server } = shared;
    const outside = prepareFolders(server);
    const flipper = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        FLIPPER,
        join(server.homeOf('alice'), 'door'),
        'room',
        outside,
      ],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    t.after(() => flipper.kill('SIGKILL'));
    await once(flipper.stdout, 'data');

    const clients = await Promise.all([loggedIn(server), loggedIn(server), loggedIn(server)]);
    t.after(() => clients.forEach((client) => client.destroy()));
    const [looker, reader, writer] = clients as [FtpClient, FtpClient, FtpClient];
    const [looked, read, written] = await Promise.all([
      look(looker),
      readThrough(reader),
      writeThrough(writer),
    ]);
    t.diagnostic(
      `${looked} looks, ${read} reads and ${written} writes went through while the link led inside`,
    );
    // The race was one: the link was met in both states.
    assert.ok(looked > 0 && looked < PIPELINED_COMMANDS);
    assert.ok(read > 0);
    assert.deepEqual(readdirSync(outside).sort(), ['file', 'folder', 'only-outside']);
    assert.equal(readFileSync(join(outside, 'file'), 'utf8'), OUTSIDE);
    assert.equal(statSync(join(outside, 'file')).mode & 0o777, 0o666);
    assert.equal(server.child.exitCode, null);
  });
});

/** `room` inside and its twin outside, which everybody may read and write, so that only the jail protects it. */
function prepareFolders(server: ChildServer): string {
  const home = server.homeOf('alice');
  const { uid, gid } = statSync(home);
  const outside = join(server.directory, 'outside');
  for (const [folder, text] of [
    [join(home, 'room'), INSIDE],
    [outside, OUTSIDE],
  ] as const) {
    mkdirSync(join(folder, 'folder'), { recursive: true });
    writeFileSync(join(folder, 'file'), text);
    chmodSync(join(folder, 'file'), 0o666);
    chmodSync(folder, 0o777);
  }
  writeFileSync(join(outside, 'only-outside'), OUTSIDE.repeat(3));
  chownSync(join(home, 'room'), uid, gid);
  symlinkSync('room', join(home, 'door'));
  return outside;
}

/** Pipelined commands that name, enter, measure and change things behind the link; gives how many succeeded. */
async function look(client: FtpClient): Promise<number> {
  await client.command('TYPE I');
  const lines = [
    'SIZE door/file',
    'MLST door/only-outside',
    'SIZE door/only-outside',
    'CWD door',
    'SIZE only-outside',
    'CWD /',
  ];
  lines.push(
    'STAT door',
    'MDTM door/only-outside',
    'CWD door/folder/..',
    'MLST only-outside',
    'CWD /',
    'SITE CHMOD 666 door/file',
  );
  let succeeded = 0;
  for (let sent = 0; sent < PIPELINED_COMMANDS; sent += COMMANDS_PER_BATCH) {
    const batch = Array.from(
      { length: COMMANDS_PER_BATCH },
      (_, index) => lines[(sent + index) % lines.length]!,
    );
    client.send(...batch);
    for (const line of batch) {
      const reply = await client.readReply();
      const text = reply.lines.join('\n');
      // STAT repeats no argument, so the name alone would show what is outside.
      if (line.startsWith('STAT')) assert.doesNotMatch(text, /only-outside/);
      if (line.includes('only-outside')) assert.equal(reply.code, 550, `${line}: ${text}`);
      if (line === 'SIZE door/file' && reply.code === 213) assert.equal(reply.text, String(INSIDE.length));
      if (reply.code < 400 && line.includes('door')) succeeded += 1;
    }
  }
  return succeeded;
}

/** RETR, LIST, NLST and MLSD behind the link. */
async function readThrough(client: FtpClient): Promise<number> {
  const lines = [
    'RETR door/file',
    'LIST door/',
    'NLST door',
    'MLSD door',
    'LIST door/*',
    'RETR door/folder/../file',
  ];
  let succeeded = 0;
  for (let index = 0; index < TRANSFERS; index += 1) {
    const line = lines[index % lines.length]!;
    const { body, final } = await client.download(line);
    const text = body.toString();
    assert.doesNotMatch(text, /only-outside|SECRET/, line);
    if (final.code === 226 && text !== '') succeeded += 1;
    if (line.startsWith('RETR') && final.code === 226) assert.equal(text, INSIDE);
  }
  return succeeded;
}

/** Uploads, folders and renames behind the link. */
async function writeThrough(client: FtpClient): Promise<number> {
  let succeeded = 0;
  for (let index = 0; index < TRANSFERS; index += 1) {
    const line = index % 2 === 0 ? 'STOR door/written' : 'MKD door/made';
    const code = line.startsWith('STOR')
      ? (await client.upload(line, 'by the user')).final.code
      : (await client.command(line)).code;
    if (code < 400) succeeded += 1;
    if (index % 2 === 1)
      await client.dialogue('RMD door/made', 'RNFR door/written', 'RNTO door/renamed', 'DELE door/renamed');
  }
  return succeeded;
}
