/** AllowForeignAddress: who else may be at the far end of a data connection (core reference, sections 2 and 18). */
import { normaliseAddress } from '../../src/config/address-pattern.ts';
import { classMatches } from '../../src/config/class-match.ts';
import type { FtpSession } from './session-types.ts';

/** True when `address` is the client's own, or AllowForeignAddress (on, or a class it belongs to) lets it in. */
export function admitsDataAddress(session: FtpSession, address: string): boolean {
  const peer = normaliseAddress(address);
  if (peer === null) return false;
  if (peer === normaliseAddress(session.context.facts.remoteAddress)) return true;
  const policy = session.settings.allowForeignAddress;
  if (typeof policy === 'boolean') return policy;
  const section = session.config.server.classes.find(({ name }) => name === policy.className);
  return section !== undefined && classMatches(section, { address: peer, hostName: peer });
}
