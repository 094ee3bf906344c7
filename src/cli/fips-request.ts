/** FIPS is asked for on the command line or in the environment, never in a configuration; it is granted or nothing starts. */
import { MOD_SFTP_VERSION, MOD_TLS_VERSION } from '../version.ts';

/** In whose name FIPS mode was asked for; the lines the operator reads carry it. */
export interface FipsRequest {
  readonly modules: readonly ('mod_tls' | 'mod_sftp')[];
}

const VERSIONS = { mod_tls: MOD_TLS_VERSION, mod_sftp: MOD_SFTP_VERSION } as const;

/** Values of LOCKGATE_FIPS that ask for nothing. Any other asks: who wrote `true` must not get a server without FIPS. */
const NOT_ASKED: ReadonlySet<string> = new Set(['', '0', 'no', 'off', 'false']);

/** `-DTLS_USE_FIPS`, `-DSFTP_USE_FIPS`, LOCKGATE_FIPS=1 (as TLS_USE_FIPS); null: not asked for. */
export function fipsRequest(defines: readonly string[], environment: NodeJS.ProcessEnv): FipsRequest | null {
  const asks = (name: string): boolean =>
    defines.some((define) => define === name || define.startsWith(`${name}=`));
  const tls = !NOT_ASKED.has((environment['LOCKGATE_FIPS'] ?? '').toLowerCase()) || asks('TLS_USE_FIPS');
  const sftp = asks('SFTP_USE_FIPS');
  if (!tls && !sftp) return null;
  return { modules: [...(tls ? (['mod_tls'] as const) : []), ...(sftp ? (['mod_sftp'] as const) : [])] };
}

/** What `<IfDefine>` sees: the labels of the command line, and TLS_USE_FIPS where LOCKGATE_FIPS asked in its stead. */
export function definesWithFips(
  defines: readonly string[],
  environment: NodeJS.ProcessEnv,
): readonly string[] {
  const modules = fipsRequest(defines, environment)?.modules ?? [];
  const labels = modules.map((name) => (name === 'mod_tls' ? 'TLS_USE_FIPS' : 'SFTP_USE_FIPS'));
  return [...new Set([...defines, ...labels])];
}

/** What an operator reads when FIPS mode is on, on the terminal and in the server log. */
export function fipsEnabledLines(request: FipsRequest): readonly string[] {
  return request.modules.map((name) => `${name}/${VERSIONS[name]}: FIPS mode enabled`);
}

/** What an operator reads when FIPS mode is asked for and cannot be had. The first module that cannot ends the start. */
export function fipsRefusalText(request: FipsRequest, reason: string): string {
  const [name = 'mod_tls'] = request.modules;
  return (
    `${name}/${VERSIONS[name]}: unable to use FIPS mode: ${reason}\n` +
    `Fatal: unable to load module '${name}.c': Operation not permitted\n`
  );
}
