/** FIPS mode of a server inside another program: the program started Node.js in it, or nothing listens. */
import { fipsMode, loadedFipsModule } from '../../crypto/fips-module.ts';
import { probeFailures, runFipsProbes } from '../../crypto/fips-probes.ts';
import { FipsError } from './fips-error.ts';
import { fipsRequest } from './fips-request.ts';

const HOW =
  "start the program with --openssl-config=FILE and --force-fips=strict, or --force-fips=provider before module 3.4 ('lockgate " +
  "fips install' writes FILE)";

/**
 * Asked for (`defines`, LOCKGATE_FIPS) or simply there, FIPS mode is proven in this thread; the workers prove it in theirs.
 * Throws FipsError. Never a server without FIPS mode for who asked for it.
 */
export function requireRequestedFips(defines: readonly string[], environment: NodeJS.ProcessEnv): void {
  if (fipsMode() === 'off') {
    if (fipsRequest(defines, environment) === null) return;
    throw new FipsError(`unable to use FIPS mode: this process is not in it; ${HOW}`);
  }
  if (loadedFipsModule() === null)
    throw new FipsError('unable to use FIPS mode: no FIPS module is active in this process');
  const failures = probeFailures(runFipsProbes());
  if (failures !== '')
    throw new FipsError(`unable to use FIPS mode: the module does not behave as one: ${failures}`);
}
