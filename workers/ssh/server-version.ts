/** The server's identification line (RFC 4253, section 4.2), by ServerIdent. */
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import { serverHostOf } from '../../src/log/session-log-writer.ts';
import { MOD_SFTP_VERSION, PROFTPD_VERSION } from '../../src/version.ts';

/** With its version: WinSCP takes a bare `mod_sftp` for an old one and swaps the arguments of version 6's LINK. */
const DEFAULT_SOFTWARE = `mod_sftp/${MOD_SFTP_VERSION}`;
/** The line may have 255 bytes with `SSH-2.0-` and CR LF. */
const MAX_SOFTWARE = 240;

/**
 * `SSH-2.0-...` without line end. Characters the line may not have become `_`.
 * @param localAddress - of the connection, for %L
 */
export function serverVersion(config: EffectiveConfig, localAddress: string): string {
  const { serverIdent, serverName } = config.settings;
  if (!serverIdent.enabled || serverIdent.text === undefined) return `SSH-2.0-${DEFAULT_SOFTWARE}`;
  const text = serverIdent.text.replace(/%(?:\{version\}|[LVv])/g, (variable) => {
    if (variable === '%L') return localAddress;
    if (variable === '%V') return serverHostOf(config);
    return variable === '%v' ? serverName : PROFTPD_VERSION;
  });
  const software = text.replace(/[^\x21-\x7e]/g, '_').slice(0, MAX_SOFTWARE);
  return `SSH-2.0-${software === '' ? DEFAULT_SOFTWARE : software}`;
}
