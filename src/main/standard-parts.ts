/** The parts a server uses unless a test gives it others. */
import type { FipsProbeError } from '../../crypto/fips-probes.ts';
import { createAuthService } from '../auth/auth-service.ts';
import { createPasswordPool } from '../auth/password-pool.ts';
import type { DaemonLog } from './daemon-log.ts';
import type { Authenticator } from './main-services.ts';

/** Far above what one thread serves well; it only keeps a flood of connections from taking all memory. */
export const DEFAULT_SESSIONS_PER_WORKER = 10_000;

/** Logins against the configured accounts, hashes in a pool of their own. */
export function createStandardAuth(
  log: DaemonLog,
  onFipsFailure: (error: FipsProbeError) => void,
): Authenticator {
  const hashPool = createPasswordPool({
    onError: (error) => log.failure('the password worker failed', error),
    onFipsFailure,
  });
  const service = createAuthService({
    log: (level, text, origin) => {
      if (origin === null) log.daemon(level, text);
      else log.client(level, origin.remoteAddress, text);
    },
    hashPool,
  });
  return { ...service, ready: hashPool.ready };
}
