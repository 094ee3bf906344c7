/** The state folder of a start without configuration: where it is and what is in it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { USER_STORE_FILE } from '../auth/user-store.ts';

export const STATE_FILES = {
  config: 'lockgate.conf',
  users: USER_STORE_FILE,
  ecCertificate: 'certificate-ec.pem',
  ecKey: 'key-ec.pem',
  rsaCertificate: 'certificate-rsa.pem',
  rsaKey: 'key-rsa.pem',
  /** Both certificates, for clients' --cacert. */
  trust: 'certificates.pem',
  ed25519HostKey: 'ssh-host-key-ed25519.pem',
  ecdsaHostKey: 'ssh-host-key-ecdsa.pem',
  rsaHostKey: 'ssh-host-key-rsa.pem',
  /** The host keys as clients know them, for UserKnownHostsFile. */
  knownHosts: 'known_hosts',
  home: 'home',
  log: 'lockgate.log',
  pid: 'lockgate.pid',
} as const;

/** --state, else LOCKGATE_STATE, else $XDG_STATE_HOME/lockgate, else ~/.local/state/lockgate. */
export function stateFolderOf(flag: string | null, environment: NodeJS.ProcessEnv): string {
  const named = flag ?? nonEmpty(environment['LOCKGATE_STATE']);
  if (named !== null) return resolve(named);
  const base = nonEmpty(environment['XDG_STATE_HOME']) ?? join(homedir(), '.local', 'state');
  return join(base, 'lockgate');
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}
