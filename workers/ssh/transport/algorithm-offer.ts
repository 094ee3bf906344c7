/** What this server offers one client: the directives' lists inside the crypto profile, and what this OpenSSL can do. */
import type { Settings } from '../../../src/config/server-config.ts';
import { activeProfile } from '../../../crypto/profile.ts';
import { keyExchangeMethod, keyExchangeUnavailable } from '../../../crypto/ssh/key-exchange.ts';
import { cipherAvailable, cipherSpec, macAvailable, macSpec } from '../../../crypto/ssh/packet-protection.ts';
import type { HostKey } from '../../../crypto/ssh/host-keys.ts';
import type { SshAlgorithmList } from '../../../crypto/ssh-algorithms.ts';
import type { ClientMatch } from '../ssh-types.ts';
import type { AlgorithmLists } from '../wire/kexinit.ts';

const WEAK_GROUP = 'diffie-hellman-group1-sha1';
const NONE = 'none';

/** Without pseudo-algorithms, which are no offer. */
export function offeredAlgorithms(
  settings: Settings,
  match: ClientMatch,
  hostKeys: readonly HostKey[],
): AlgorithmLists {
  const { ssh } = activeProfile();
  const named = match.sftpKeyExchanges ?? settings.sftpKeyExchanges;
  const keyExchanges = within(ssh.keyExchanges, named).filter(
    (name) => keyExchangeMethod(name) !== null && keyExchangeUnavailable(name) === null,
  );
  const wantsWeak = settings.sftpOptions.includes('AllowWeakDH') && !keyExchanges.includes(WEAK_GROUP);
  if (wantsWeak && ssh.keyExchanges.allowed.includes(WEAK_GROUP)) keyExchanges.push(WEAK_GROUP);
  const signatures = new Set(hostKeys.flatMap((key) => key.algorithms));
  const ciphers = within(ssh.ciphers, match.sftpCiphers ?? settings.sftpCiphers).filter(
    (name) => cipherSpec(name) !== null && cipherAvailable(name),
  );
  const macs = within(ssh.macs, match.sftpDigests ?? settings.sftpDigests).filter(
    (name) => name === NONE || (macSpec(name) !== null && macAvailable(name)),
  );
  const compressions = compressionNames(settings.sftpCompression);
  return {
    keyExchanges,
    hostKeys: within(ssh.hostKeys, match.sftpHostKeys ?? settings.sftpHostKeys).filter((name) =>
      signatures.has(name),
    ),
    ciphersIn: ciphers,
    ciphersOut: ciphers,
    macsIn: macs,
    macsOut: macs,
    compressionsIn: compressions,
    compressionsOut: compressions,
  };
}

/** `server-sig-algs` (RFC 8308, section 3.1); certificates where an authority can be trusted, by file or by user. */
export function acceptedUserAlgorithms(settings: Settings): string[] {
  const named = within(activeProfile().ssh.publicKeys, settings.sftpAuthPublicKeys);
  const { sftpTrustedUserCAKeys, sftpAuthorizedUserKeys, userStore } = settings;
  const trustsAuthorities =
    sftpTrustedUserCAKeys !== null || sftpAuthorizedUserKeys.length > 0 || userStore !== null;
  return trustsAuthorities ? named : named.filter((name) => !name.includes('-cert-'));
}

/** `delayed` offers no plain `zlib`, which would inflate bytes of strangers. */
function compressionNames(setting: Settings['sftpCompression']): string[] {
  if (setting === 'off') return [NONE];
  return setting === 'on' ? ['zlib@openssh.com', 'zlib', NONE] : ['zlib@openssh.com', NONE];
}

function within(list: SshAlgorithmList, named: readonly string[] | null | undefined): string[] {
  return named === null || named === undefined
    ? [...list.default]
    : named.filter((name) => list.allowed.includes(name));
}
