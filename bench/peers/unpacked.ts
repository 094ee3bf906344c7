/** Where `bench/peers/install.sh` unpacks the peers, and how their programs find their libraries. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../.cache/peers/root', import.meta.url));

/** The unpacked program, else the installed one, else null. */
export function findProgram(name: string): string | null {
  for (const path of [
    `${ROOT}/usr/sbin/${name}`,
    `${ROOT}/usr/bin/${name}`,
    `/usr/sbin/${name}`,
    `/usr/bin/${name}`,
  ]) {
    if (existsSync(path)) return path;
  }
  return null;
}

export function unpackedPath(path: string): string {
  const inside = `${ROOT}${path}`;
  return existsSync(inside) ? inside : path;
}

export function peerEnvironment(): NodeJS.ProcessEnv {
  const libraries = `${ROOT}/usr/lib/x86_64-linux-gnu:${ROOT}/lib/x86_64-linux-gnu`;
  return { PATH: process.env['PATH'], LD_LIBRARY_PATH: libraries };
}

/** First match of a version number in what the program says; null when it cannot run. */
export function programVersion(program: string | null, args: readonly string[]): string | null {
  if (program === null) return null;
  try {
    // vsftpd prints its version on its standard input's descriptor.
    const out = execFileSync('/bin/sh', ['-c', `"$0" "$@" 0>&1 2>&1`, program, ...args], {
      env: peerEnvironment(),
    });
    return /\d+\.\d+(\.\d+)?/.exec(out.toString())?.[0] ?? null;
  } catch (error) {
    const output = (error as { stdout?: Buffer }).stdout?.toString() ?? '';
    return /\d+\.\d+(\.\d+)?/.exec(output)?.[0] ?? null;
  }
}
