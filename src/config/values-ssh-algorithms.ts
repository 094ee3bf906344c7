/** Names of SSH algorithms in directives, checked against the crypto profile in force. */
import { fipsFeatures } from '../../crypto/fips-features.ts';
import { loadedFipsModule } from '../../crypto/fips-module.ts';
import { activeProfile } from '../../crypto/profile.ts';
import { sshAlgorithm, sshRefusal, type SshAlgorithmKind } from '../../crypto/ssh-algorithms.ts';
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import { someWords } from './values.ts';

/** As mod_sftp's messages call the kinds. */
const LABELS: Readonly<Record<SshAlgorithmKind, string>> = {
  'key-exchange': 'key exchange algorithm',
  'host-key': 'host key algorithm',
  'public-key': 'public key algorithm',
  cipher: 'cipher algorithm',
  mac: 'digest algorithm',
  compression: 'compression algorithm',
};

/** The words of a directive, in order, each once. Throws ConfigError for a name that is unknown or may not be offered. */
export function sshAlgorithms(input: ParseInput, kind: SshAlgorithmKind): readonly string[] {
  return requireOffered(someWords(input), kind);
}

/** The names, each once; for lists inside other directives (SFTPClientMatch). */
export function requireOffered(names: readonly string[], kind: SshAlgorithmKind): readonly string[] {
  const features = activeProfile().fips ? fipsFeatures(loadedFipsModule()?.version ?? null) : null;
  for (const name of names) {
    const known = sshAlgorithm(kind, name);
    if (known === null) throw new ConfigError(`unsupported ${LABELS[kind]}: ${name}`);
    const refusal = sshRefusal(known, features);
    if (refusal !== null) throw new ConfigError(`unsupported ${LABELS[kind]}: ${name}: ${refusal}`);
  }
  return [...new Set(names)];
}
