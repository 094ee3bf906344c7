/** mod_sftp, mod_sftp_pam (sftp-directives, section 2). */
import type { SshAlgorithmKind } from '../../../crypto/ssh-algorithms.ts';
import { DEFAULT_SETTINGS } from '../default-settings.ts';
import { works, type DirectiveRow, type MergeRule } from '../directive-row.ts';
import type { Settings } from '../server-config.ts';
import {
  sftpAcceptEnv,
  sftpAuthMethods,
  sftpClientAlive,
  sftpClientMatch,
  sftpCompression,
  sftpExtensions,
  sftpHostKey,
  sftpKeyBlacklist,
  sftpKeyFingerprints,
  sftpKeyLimits,
  sftpKeyStores,
  sftpOptions,
  sftpRekey,
  sftpTrafficPolicy,
  warnSftpClientMatch,
  warnSftpOptions,
} from '../values-sftp.ts';
import { sshAlgorithms } from '../values-ssh-algorithms.ts';
import { absolutePath, absolutePathOrNone, displayPath, integer, oneWord, onOff } from '../values.ts';
import { absentEngine, refusedNames, S, several, SVG } from './contexts.ts';

const module = 'mod_sftp';
const noPam =
  'PAM is not used; keyboard-interactive asks for the password of AuthOrder, or for a one-time code';
const MAX_CHANNELS = 1000;

type Key = keyof Settings & `sftp${string}`;
interface Row<K extends Key> {
  readonly name: string;
  readonly key: K;
  /** Behind the directive's name. */
  readonly syntax: string;
  readonly defaultText: string;
  readonly parse: Parameters<typeof works<K>>[0]['parse'];
  readonly summary: string;
  readonly merge?: MergeRule;
  readonly warn?: Parameters<typeof works<K>>[0]['warn'];
}

function row<K extends Key>({ syntax, warn, merge = 'replace', ...rest }: Row<K>): DirectiveRow {
  const base = { ...rest, merge, module, contexts: SVG, syntax: `${rest.name} ${syntax}` } as const;
  return works<K>(warn === undefined ? base : { ...base, warn });
}

/** What a session lacks whose list holds `none`. */
const WITHOUT: Partial<Record<SshAlgorithmKind, string>> = {
  cipher: 'lets sessions travel in clear; passwords are refused there unless AllowInsecureLogin',
  mac: 'leaves sessions open to changes on the way; passwords are refused there unless AllowInsecureLogin',
};

type ListKey = 'sftpCiphers' | 'sftpDigests' | 'sftpKeyExchanges' | 'sftpHostKeys' | 'sftpAuthPublicKeys';

function algorithms(name: string, key: ListKey, kind: SshAlgorithmKind, summary: string): DirectiveRow {
  return row({
    name,
    key,
    syntax: 'algorithm ...',
    defaultText: "the crypto profile's list",
    parse: (input) => sshAlgorithms(input, kind),
    warn: ({ args }) => (args.includes('none') ? `'none' ${WITHOUT[kind] ?? ''}` : null),
    summary,
  });
}

export const SFTP: readonly DirectiveRow[] = [
  row({
    name: 'SFTPEngine',
    key: 'sftpEngine',
    syntax: 'on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Serves SFTP and SCP on the ports of this virtual host instead of FTP.',
  }),
  row({
    name: 'SFTPLog',
    key: 'sftpLog',
    syntax: 'path|none',
    defaultText: 'none',
    parse: absolutePathOrNone,
    summary: 'Log of key exchanges, logins, requests and refusals.',
  }),
  row({
    name: 'SFTPHostKey',
    key: 'sftpHostKey',
    merge: 'append',
    syntax: 'path|agent:socket|NoRSA|NoDSA|NoECDSA|NoED25519',
    defaultText: 'none',
    parse: sftpHostKey,
    summary:
      'Host keys, one line each (PEM or OpenSSH format, encrypted ones too), or an agent that holds them; the No words drop inherited keys.',
  }),
  algorithms('SFTPHostKeys', 'sftpHostKeys', 'host-key', 'Host key algorithms offered, in order.'),
  algorithms('SFTPKeyExchanges', 'sftpKeyExchanges', 'key-exchange', 'Key exchanges offered, in order.'),
  algorithms('SFTPCiphers', 'sftpCiphers', 'cipher', 'Ciphers offered, in order.'),
  algorithms('SFTPDigests', 'sftpDigests', 'mac', 'MACs offered, in order.'),
  row({
    name: 'SFTPCompression',
    key: 'sftpCompression',
    syntax: 'on|off|delayed',
    defaultText: 'off',
    parse: sftpCompression,
    summary: 'Offers zlib: `delayed` only after the login, `on` before it as well.',
  }),
  row({
    name: 'SFTPAuthMethods',
    key: 'sftpAuthMethods',
    syntax: 'method[+method ...] ...',
    defaultText: 'publickey and hostbased where keys are configured, password, keyboard-interactive',
    parse: sftpAuthMethods,
    summary: 'Methods, and chains of them that must all succeed in order: publickey+password.',
  }),
  algorithms(
    'SFTPAuthPublicKeys',
    'sftpAuthPublicKeys',
    'public-key',
    "Signature algorithms accepted of users' and hosts' keys.",
  ),
  row({
    name: 'SFTPAuthorizedUserKeys',
    key: 'sftpAuthorizedUserKeys',
    syntax: 'file:path ...',
    defaultText: 'none',
    parse: sftpKeyStores,
    summary: 'Public keys of users, RFC 4716 or authorized_keys format; %u is the user, ~ the home.',
  }),
  row({
    name: 'SFTPAuthorizedHostKeys',
    key: 'sftpAuthorizedHostKeys',
    syntax: 'file:path ...',
    defaultText: 'none',
    parse: sftpKeyStores,
    summary: 'Public keys of client hosts, for hostbased authentication.',
  }),
  works({
    name: 'LockgateTrustedUserCAKeys',
    key: 'sftpTrustedUserCAKeys',
    merge: 'replace',
    module: 'mod_lockgate',
    contexts: SVG,
    syntax: 'LockgateTrustedUserCAKeys path|none',
    defaultText: 'none',
    parse: absolutePathOrNone,
    summary: 'Public keys of the authorities whose OpenSSH user certificates log in.',
  }),
  row({
    name: 'SFTPKeyBlacklist',
    key: 'sftpKeyBlacklist',
    syntax: 'path|none',
    defaultText: 'none',
    parse: sftpKeyBlacklist,
    summary: 'Fingerprints of keys that never log in (the weak keys of old Debian releases).',
  }),
  row({
    name: 'SFTPKeyFingerprints',
    key: 'sftpKeyFingerprints',
    syntax: 'sha256|sha1|md5[+base64|+hex|+hex+colons]',
    defaultText: 'sha256+base64',
    parse: sftpKeyFingerprints,
    summary: 'How fingerprints are logged.',
  }),
  row({
    name: 'SFTPKeyLimits',
    key: 'sftpKeyLimits',
    syntax: 'MinimumRSASize|MinimumDSASize|MinimumECSize bits ...',
    defaultText: 'MinimumRSASize 2048 MinimumDSASize 1024 MinimumECSize 256',
    parse: (input) => sftpKeyLimits(input, DEFAULT_SETTINGS.sftpKeyLimits),
    summary:
      'Smallest keys of hosts and users; what a line does not name has its default, and 0 is no floor.',
  }),
  row({
    name: 'SFTPAcceptEnv',
    key: 'sftpAcceptEnv',
    merge: 'append',
    syntax: 'name ...',
    defaultText: 'LANG',
    parse: sftpAcceptEnv,
    summary: "Environment variables a client may set for this session's logs; * and ? match.",
  }),
  row({
    name: 'SFTPClientAlive',
    key: 'sftpClientAlive',
    syntax: 'count interval',
    defaultText: 'none',
    parse: sftpClientAlive,
    summary: 'Asks silent clients every interval seconds and drops them after count unanswered questions.',
  }),
  row({
    name: 'SFTPClientMatch',
    key: 'sftpClientMatch',
    merge: 'append',
    syntax: 'pattern key value ...',
    defaultText: 'none',
    parse: sftpClientMatch,
    warn: warnSftpClientMatch,
    summary: 'Windows, packet sizes, protocol versions and algorithms for clients by their version line.',
  }),
  row({
    name: 'SFTPDHParamFile',
    key: 'sftpDHParamFile',
    syntax: 'path',
    defaultText: 'none: the groups of RFC 3526',
    parse: absolutePath,
    summary: 'Groups for Diffie-Hellman group exchange (PEM, or the moduli format of OpenSSH).',
  }),
  row({
    name: 'SFTPDisplayBanner',
    key: 'sftpDisplayBanner',
    syntax: 'path|none',
    defaultText: 'none',
    parse: displayPath,
    summary: 'File shown before the login.',
  }),
  row({
    name: 'SFTPExtensions',
    key: 'sftpExtensions',
    merge: 'append',
    syntax: '+|-name ...',
    defaultText: 'all but vendorID and xattr',
    parse: sftpExtensions,
    summary: 'Switches SFTP extensions on and off.',
  }),
  row({
    name: 'SFTPMaxChannels',
    key: 'sftpMaxChannels',
    syntax: 'count',
    defaultText: '10',
    parse: integer(1, MAX_CHANNELS),
    summary: 'Channels one connection may have open at once.',
  }),
  row({
    name: 'SFTPOptions',
    key: 'sftpOptions',
    merge: 'append',
    syntax: 'option ...',
    defaultText: 'none',
    parse: sftpOptions,
    warn: warnSftpOptions,
    summary: 'Exceptions, by name; several lines add up.',
  }),
  works({
    name: 'SFTPPassPhraseProvider',
    key: 'sftpPassPhraseProvider',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'SFTPPassPhraseProvider path',
    defaultText: 'none: the terminal is asked',
    parse: absolutePath,
    summary: 'Program that prints the pass phrase of an encrypted host key.',
  }),
  row({
    name: 'SFTPRekey',
    key: 'sftpRekey',
    syntax: 'none|required [interval [MB [timeout]]]',
    defaultText: 'required 3600 2048',
    parse: sftpRekey,
    summary: 'New keys after so many seconds or megabytes; the limits of the ciphers hold in any case.',
  }),
  row({
    name: 'SFTPTrafficPolicy',
    key: 'sftpTrafficPolicy',
    syntax: 'none|low|medium|high|paranoid',
    defaultText: 'none',
    parse: sftpTrafficPolicy,
    summary: 'How often packets without meaning hide the pattern of the traffic.',
  }),
  several({
    name: 'SFTPCryptoDevice',
    module,
    contexts: SVG,
    syntax: 'SFTPCryptoDevice driver|ALL|none',
    defaultText: 'none',
    parse: (input) => {
      oneWord(input);
      return {};
    },
    warn: ({ args }) => (args[0]?.toLowerCase() === 'none' ? null : 'no effect: OpenSSL 3 has no engines'),
    summary: 'Taken from old configurations; OpenSSL 3 has no engines, so nothing but `none` means anything.',
  }),
  absentEngine({ module: 'mod_sftp_pam', contexts: SVG }, 'SFTPPAMEngine', 'off', noPam),
  ...refusedNames({ module: 'mod_sftp_pam', contexts: SVG }, noPam, ['SFTPPAMOptions', 'SFTPPAMServiceName']),
];
