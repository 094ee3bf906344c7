/** FIPS is asked for on the command line or in the environment, never in a configuration; it is granted or nothing starts. */
import { MOD_TLS_VERSION } from '../version.ts';

const FIPS_DEFINES: ReadonlySet<string> = new Set(['TLS_USE_FIPS', 'SFTP_USE_FIPS']);

export function asksForFips(defines: readonly string[], environment: NodeJS.ProcessEnv): boolean {
  return environment['LOCKGATE_FIPS'] === '1' || defines.some((label) => FIPS_DEFINES.has(label));
}

/** What an operator reads when FIPS mode is asked for and cannot be had. */
export function fipsRefusal(): string {
  return (
    `mod_tls/${MOD_TLS_VERSION}: unable to use FIPS mode: this version has no profile for a FIPS provider\n` +
    `Fatal: unable to load module 'mod_tls.c': Operation not permitted\n`
  );
}
