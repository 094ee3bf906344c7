/** Programs and modules that tests fetch into the project's cache. */
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const TIMEOUT_MS = 180_000;

/**
 * What `fetch-NAME.sh` prints: a path. Null after the test was marked as skipped, where it cannot be fetched. Throws with
 * CI=true.
 */
export function needsFetched(
  context: Pick<TestContext, 'skip'>,
  name: 'openssh-client' | 'ssh2',
): string | null {
  const script = fileURLToPath(new URL(`./fetch-${name}.sh`, import.meta.url));
  const result = spawnSync(script, { encoding: 'utf8', timeout: TIMEOUT_MS });
  if (result.status === 0) return result.stdout.trim();
  const why = `${name} cannot be fetched: ${result.stderr.trim().split('\n').at(-1) ?? ''}`;
  if (process.env['CI'] === 'true') throw new Error(why);
  context.skip(why);
  return null;
}
