/** The user, certificate and files every server of one run serves. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BenchFixture } from '../peers/peer.ts';

const USER = 'lockgate-bench';

export const BIG_FILE = 'big.bin';
export const SMALL_FILES = 200;
export const SMALL_FILE_BYTES = 4096;

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .trim();
}

/**
 * Makes everything below a folder of /dev/shm, so that no disk is measured. Needs root: a temporary system account
 * is the one kind of user that every server knows (vsftpd has no other), and servers are measured as they run in
 * production, started by root.
 */
export function createFixture(bigBytes: number): BenchFixture & { remove(): void } {
  if (process.getuid?.() !== 0)
    throw new Error('the benchmark starts servers as root and makes a temporary account: run it as root');
  const folder = mkdtempSync('/dev/shm/lockgate-bench-');
  const home = join(folder, 'home');
  const password = randomBytes(12).toString('hex');
  const passwordHash = run('openssl', 'passwd', '-6', password);
  try {
    run(
      'useradd',
      '--no-create-home',
      '--home-dir',
      home,
      '--shell',
      '/bin/sh',
      '--password',
      passwordHash,
      USER,
    );
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw new Error(
      `cannot make the temporary account ${USER} (left over from a killed run? userdel ${USER})`,
      { cause: error },
    );
  }
  const uid = Number(run('id', '-u', USER));
  const gid = Number(run('id', '-g', USER));
  run('chmod', '0755', folder);
  mkdirSync(home);
  touchMemory(folder, 4 * bigBytes);
  writeBig(join(home, BIG_FILE), bigBytes);
  for (let i = 0; i < SMALL_FILES; i++)
    writeFileSync(join(home, `small-${i}.bin`), randomBytes(SMALL_FILE_BYTES));
  chownSync(home, uid, gid);
  run('chown', '-R', `${USER}:`, home);
  const certificate = join(folder, 'server.crt');
  const key = join(folder, 'server.key');
  run(
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-keyout',
    key,
    '-out',
    certificate,
  );
  return {
    folder,
    home,
    user: USER,
    password,
    passwordHash,
    uid,
    gid,
    certificate,
    key,
    remove() {
      run('userdel', USER);
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * On a virtual machine the first use of a page of memory costs the host's page fault, many times the copy itself, and
 * would be charged to whichever server uploads first. So as much memory as the run uses is touched once beforehand.
 */
function touchMemory(folder: string, bytes: number): void {
  const path = join(folder, 'touch');
  writeBig(path, bytes);
  rmSync(path);
}

function writeBig(path: string, bytes: number): void {
  const block = randomBytes(1 << 20);
  const descriptor = openSync(path, 'w');
  for (let written = 0; written < bytes; written += block.length)
    writeSync(descriptor, block, 0, Math.min(block.length, bytes - written));
  closeSync(descriptor);
}
