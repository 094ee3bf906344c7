/** A real OpenSSL FIPS provider for tests: the system's, or one fetched into the project's cache. Never installed. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram, type ProgramResult } from './seed-server.ts';
import { LAUNCHER } from './server.ts';

const FETCH = fileURLToPath(new URL('./fetch-fips-provider.sh', import.meta.url));
const FETCH_TIMEOUT_MS = 180_000;

let provider: { readonly path: string | null; readonly why: string } | null = null;

function findProvider(): { readonly path: string | null; readonly why: string } {
  const result = spawnSync(FETCH, { encoding: 'utf8', timeout: FETCH_TIMEOUT_MS });
  if (result.status === 0) return { path: result.stdout.trim(), why: '' };
  return { path: null, why: result.stderr.trim().split('\n').at(-1) || 'it cannot be fetched' };
}

/** Path of the module; null after the test was marked as skipped. Throws with CI=true. */
export function needsFipsProvider(context: Pick<TestContext, 'skip'>): string | null {
  provider ??= findProvider();
  if (provider.path !== null) return provider.path;
  if (process.env['CI'] === 'true') throw new Error(`no FIPS provider: ${provider.why}`);
  context.skip(`no FIPS provider: ${provider.why}`);
  return null;
}

/** A copy a test may damage; gives its path. */
export function copyOfModule(module: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const copy = join(folder, 'fips.so');
  copyFileSync(module, copy);
  chmodSync(copy, 0o644);
  return copy;
}

/** Arguments of a start in FIPS mode with this module. */
export function fipsArguments(module: string): readonly string[] {
  return ['-DTLS_USE_FIPS', '--fips-module', module];
}

/** What a start in FIPS mode prints. */
export const FIPS_ENABLED = /^mod_tls\/[\d.]+: FIPS mode enabled$/m;
/** What one prints that cannot have it. */
export const FIPS_REFUSED =
  /^mod_tls\/[\d.]+: unable to use FIPS mode: .+\nFatal: unable to load module 'mod_tls\.c': Operation not permitted$/m;

/** Runs the launcher with a state folder of its own, and looks for modules in no folder of this machine's environment. */
export function lockgate(
  state: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  input = '',
): Promise<ProgramResult> {
  const { OPENSSL_MODULES: _modules, ...outside } = process.env;
  return runProgram(LAUNCHER, args, {
    env: { ...outside, LOCKGATE_STATE: state, ...environment },
    input,
    timeoutMs: 30_000,
  });
}
