/** SFTP acceptance scenarios 9-14: which host keys are loaded, offered, refused, and how encrypted ones are opened. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { needsProgram } from '../support/programs.ts';
import { seedConfig, tryConfig, type ProgramResult } from '../support/seed-server.ts';
import {
  baseSftp,
  kexInitLists,
  publicLine,
  rfc4716,
  sshKeygenKey,
  startSftpSeed,
  type SftpSeed,
} from '../support/sftp-seed.ts';

const LIMIT = { timeout: 30_000 };
const PASS_PHRASE = 'a pass phrase of a host key';
const TECTIA =
  '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAAgAAAAAm\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n';

const folder = mkdtempSync(join(tmpdir(), 'lockgate-host-keys-'));
const path = (name: string): string => join(folder, name);
const hostKey = (name: string): Readonly<Record<string, string>> => ({ SFTPHostKey: path(name) });
let seed: SftpSeed | null = null;

before(async () => {
  if (
    !needsProgram(
      { skip: () => undefined, diagnostic: () => undefined } as unknown as TestContext,
      'ssh-keygen',
    )
  )
    return;
  sshKeygenKey(path('rsa'), 'rsa', ['-b', '3072']);
  sshKeygenKey(path('dsa'), 'dsa', ['-m', 'PEM']);
  sshKeygenKey(path('ssh_host_ed25519_key'), 'ed25519');
  sshKeygenKey(path('encrypted'), 'ecdsa', ['-m', 'PEM', '-N', PASS_PHRASE]);
  sshKeygenKey(path('other-phrase'), 'ecdsa', ['-m', 'PEM', '-N', 'something else']);
  sshKeygenKey(path('open-to-all'), 'ed25519');
  chmodSync(path('open-to-all'), 0o644);
  writeFileSync(
    path('provider'),
    `#!/bin/sh\nprintf '%s|' "$@" >>${path('asked')}\necho '${PASS_PHRASE}'\n`,
    { mode: 0o700 },
  );
  const rsaAndDsa = `${path('rsa')}\nSFTPHostKey ${path('dsa')}`;
  seed = await startSftpSeed(
    {
      old: baseSftp('old', { SFTPHostKey: rsaAndDsa }),
      dss: baseSftp('dss', { SFTPHostKey: rsaAndDsa, SFTPHostKeys: 'ssh-dss' }),
      sshd: baseSftp('sshd', hostKey('ssh_host_ed25519_key')),
      insecure: `SFTPOptions InsecureHostKeyPerms\n${baseSftp('insecure', hostKey('open-to-all'))}`,
      encrypted: baseSftp('encrypted', hostKey('encrypted')),
      wrong: baseSftp('wrong', { SFTPHostKey: `${path('other-phrase')}\nSFTPHostKey @DIR@/host-ed25519` }),
    },
    { main: `SFTPPassPhraseProvider ${path('provider')}\n` },
  );
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Null after the test was skipped for lack of ssh-keygen. */
function running(t: TestContext): SftpSeed | null {
  return needsProgram(t, 'ssh-keygen') ? seed : null;
}

/** A start with this host key line and options. */
function start(
  name: string,
  directives: Readonly<Record<string, string>>,
  main = '',
): Promise<ProgramResult> {
  mkdirSync(path(`start-${name}`), { recursive: true });
  return tryConfig(path(`start-${name}`), seedConfig({ [name]: baseSftp(name, directives) }, main), ['-t']);
}

async function offeredHostKeys(server: SftpSeed, host: string, hostKeyName: string): Promise<string[]> {
  const client = await server.client(host, { hostKey: hostKeyName });
  return kexInitLists(client.serverKexInit!).hostKeys;
}

test(
  'scenario 9: an RSA key is offered with SHA-2; a DSA key is warned of, and offered only where SFTPHostKeys names it',
  LIMIT,
  async (t) => {
    const server = running(t);
    if (server === null) return;
    assert.deepEqual(await offeredHostKeys(server, 'old', 'rsa-sha2-512'), ['rsa-sha2-512', 'rsa-sha2-256']);
    assert.deepEqual(await offeredHostKeys(server, 'dss', 'ssh-dss'), ['ssh-dss']);
    const log = server.server.read('system.log');
    assert.match(
      log,
      /dsa' as host key: DSA keys are deprecated, not offered unless SFTPHostKeys lists ssh-dss/,
    );
  },
);

test(
  'scenario 10: the key of sshd, in the OpenSSH format: a client that knows the host sees no change',
  LIMIT,
  async (t) => {
    const server = running(t);
    if (server === null) return;
    assert.match(readFileSync(path('ssh_host_ed25519_key'), 'utf8'), /^-----BEGIN OPENSSH PRIVATE KEY-----/);
    const [type, blob] = publicLine(path('ssh_host_ed25519_key')).split(' ');
    const knownHosts = path('known_hosts');
    writeFileSync(knownHosts, `[127.0.0.1]:${server.port('sshd')} ${type} ${blob}\n`);
    const { code, stderr } = await server.sftp('sshd', 'pwd\n', { knownHosts });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /CHANGED|authenticity/);
  },
);

test(
  'scenario 11: a Tectia key fails with the words of the FAQ and a hint; converted it loads',
  LIMIT,
  async (t) => {
    if (running(t) === null) return;
    writeFileSync(path('tectia'), TECTIA, { mode: 0o600 });
    const { code, stderr } = await start('tectia', hostKey('tectia'));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /SFTPHostKey: error reading passphrase for SFTPHostKey '.*\/tectia': it is a private key in the format of Tectia.*ssh-keygen -i/,
    );
    assert.match(stderr, /on line \d+ of '.*refused\.conf'/);
    // ssh-keygen -i writes what the key of scenario 10 is written in.
    assert.equal((await start('converted', hostKey('ssh_host_ed25519_key'))).code, 0);
  },
);

test(
  'scenario 12: a key others may read stops the start, with InsecureHostKeyPerms it is a warning',
  LIMIT,
  async (t) => {
    const server = running(t);
    if (server === null) return;
    const { code, stderr } = await start('perms', hostKey('open-to-all'));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /unable to use '.*open-to-all' as host key, as it is group- or world-accessible on line \d+ of/,
    );
    assert.match(
      server.server.read('system.log'),
      /warning of use '.*open-to-all' as host key, as it is group- or world-accessible/,
    );
    assert.deepEqual(await offeredHostKeys(server, 'insecure', 'ssh-ed25519'), ['ssh-ed25519']);
  },
);

test(
  'scenario 13: a public RFC 4716 file as host key is a start error that names the file',
  LIMIT,
  async (t) => {
    if (running(t) === null) return;
    writeFileSync(path('public'), rfc4716(path('rsa')), { mode: 0o600 });
    const { code, stderr } = await start('public', hostKey('public'));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /SFTPHostKey: unable to use '.*\/public' as host key: it is a public key; .* on line \d+ of/,
    );
  },
);

test(
  'scenario 14: SFTPPassPhraseProvider is called with servername:port and the file, and opens the key',
  LIMIT,
  async (t) => {
    const server = running(t);
    if (server === null) return;
    assert.deepEqual(await offeredHostKeys(server, 'encrypted', 'ecdsa-sha2-nistp256'), [
      'ecdsa-sha2-nistp256',
    ]);
    const asked = readFileSync(path('asked'), 'utf8').split('|');
    assert.deepEqual(asked.slice(0, 2), [`TJ's FTPS Server:${server.port('encrypted')}`, path('encrypted')]);

    // A wrong pass phrase costs the key, and the log says so.
    assert.deepEqual(await offeredHostKeys(server, 'wrong', 'ssh-ed25519'), ['ssh-ed25519']);
    const log = server.server.read('system.log');
    assert.match(log, /error loading hostkey '.*other-phrase', skipping key: wrong pass phrase/);
    assert.ok(!log.includes(PASS_PHRASE) && !server.server.stderr().includes(PASS_PHRASE));

    writeFileSync(path('failing'), '#!/bin/sh\nexit 3\n', { mode: 0o700 });
    const failing = await start(
      'failing',
      hostKey('encrypted'),
      `SFTPPassPhraseProvider ${path('failing')}\n`,
    );
    assert.match(
      failing.stderr,
      /error loading hostkey '.*encrypted', skipping key: SFTPPassPhraseProvider: '.*failing' ended with code 3/,
    );
    assert.match(failing.stderr, /no available host keys, unable to handle sessions/);

    const plain = await start('plain', hostKey('rsa'), `SFTPPassPhraseProvider ${path('rsa')}\n`);
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /SFTPPassPhraseProvider: '.*\/rsa' is not executable/);
    const relative = await start('relative', hostKey('rsa'), 'SFTPPassPhraseProvider bin/provider\n');
    assert.match(
      relative.stderr,
      /SFTPPassPhraseProvider: must be an absolute path: bin\/provider on line \d+/,
    );
    const inHost = await start('in-host', { ...hostKey('rsa'), SFTPPassPhraseProvider: path('provider') });
    assert.match(inHost.stderr, /SFTPPassPhraseProvider: directive not allowed in <VirtualHost> context/);
  },
);
