/** Every server the benchmark knows, Lockgate first. */
import { lockgate } from './lockgate.ts';
import { openssh } from './openssh.ts';
import type { Peer } from './peer.ts';
import { proftpd } from './proftpd.ts';
import { pureFtpd } from './pure-ftpd.ts';
import { vsftpd } from './vsftpd.ts';

export const PEERS: readonly Peer[] = [lockgate, proftpd, vsftpd, pureFtpd, openssh];

/** Lockgate and the named peers; null: all; an empty list: Lockgate alone. @throws RangeError for an unknown name */
export function choosePeers(names: readonly string[] | null): readonly Peer[] {
  const known = PEERS.map((peer) => peer.name);
  for (const name of names ?? [])
    if (!known.includes(name)) throw new RangeError(`no peer '${name}'; known: ${known.slice(1).join(', ')}`);
  return PEERS.filter((peer) => peer === lockgate || names === null || names.includes(peer.name));
}
