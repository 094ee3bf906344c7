/** Clients that tests drive. A missing one is installed (as root on Debian), else the test is skipped aloud; with CI=true it fails. */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'node:test';

const INSTALL = fileURLToPath(new URL('./install-clients.sh', import.meta.url));
let installTried = false;

function has(program: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'command -v "$0"', program]).status === 0;
}

/** Where Debian's packages are; another Python may come first in the path. */
export const PYTHON = '/usr/bin/python3';

/** True when the program can be run; false after the test was marked as skipped. Throws with CI=true. */
export function needsProgram(context: TestContext, program: string): boolean {
  return needs(context, program, () => has(program));
}

/** The same for a module of the system's Python. */
export function needsPythonModule(context: TestContext, module: string): boolean {
  const imports = (): boolean => spawnSync(PYTHON, ['-W', 'ignore', '-c', `import ${module}`]).status === 0;
  return needs(context, `Python's ${module}`, imports);
}

function needs(context: TestContext, what: string, isThere: () => boolean): boolean {
  if (isThere()) return true;
  if (!installTried && process.getuid?.() === 0) {
    installTried = true;
    try {
      execFileSync(INSTALL, { stdio: 'pipe', timeout: 180_000 });
    } catch (error) {
      context.diagnostic(`installing clients failed: ${(error as Error).message}`);
    }
    if (isThere()) return true;
  }
  if (process.env['CI'] === 'true') throw new Error(`${what} is not installed`);
  context.skip(`${what} is not installed`);
  return false;
}
