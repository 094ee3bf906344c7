/** Where `bench/peers/install.sh` unpacks the peers, and how their programs find their libraries. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../.cache/peers/root', import.meta.url));
const LIBRARY_FOLDERS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** The unpacked program, else the installed one, else null. */
export function findProgram(name: string): string | null {
  const folders = ['/usr/sbin', '/usr/bin', '/usr/lib/openssh'];
  const paths = [
    ...folders.map((folder) => `${ROOT}${folder}/${name}`),
    ...folders.map((folder) => `${folder}/${name}`),
  ];
  return paths.find((path) => existsSync(path)) ?? null;
}

export function unpackedPath(path: string): string {
  const inside = `${ROOT}${path}`;
  return existsSync(inside) ? inside : path;
}

export function peerEnvironment(): NodeJS.ProcessEnv {
  const folder = LIBRARY_FOLDERS[process.arch] ?? '';
  return {
    PATH: process.env['PATH'],
    LD_LIBRARY_PATH: [`${ROOT}/usr/lib/${folder}`, `${ROOT}/lib/${folder}`].join(':'),
  };
}

/** First match of a version number in what the program says; null when it cannot run. */
export function programVersion(
  program: string | null,
  args: readonly string[],
  pattern = /\d+\.\d+(\.\d+)?/,
): string | null {
  if (program === null) return null;
  // vsftpd prints its version on its standard input's descriptor.
  const { stdout } = spawnSync('/bin/sh', ['-c', `"$0" "$@" 0>&1 2>&1`, program, ...args], {
    env: peerEnvironment(),
    timeout: 10_000,
  });
  return pattern.exec(stdout?.toString() ?? '')?.[0] ?? null;
}
