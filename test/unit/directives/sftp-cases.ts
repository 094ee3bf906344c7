/** Lines of mod_sftp, with what they come to. */
import { DEFAULT_SETTINGS } from '../../../src/config/registry.ts';
import type { InvalidCase, ValidCase } from './judge-line.ts';

const location = { file: 'test.conf', line: 1 };
const MEGABYTE = 1024 ** 2;
const REKEY = { kind: 'required', seconds: 3600, bytes: 2048 * MEGABYTE, timeoutSeconds: 0 };

export const SFTP_VALID: readonly ValidCase[] = [
  ['SFTPEngine on', true],
  ['SFTPLog /var/log/sftp.log', '/var/log/sftp.log'],
  ['SFTPLog none', null],
  ['SFTPHostKey /etc/ssh/key', [{ kind: 'file', path: '/etc/ssh/key', location }]],
  ['SFTPHostKey agent:/run/agent', [{ kind: 'agent', socket: '/run/agent', location }]],
  ['SFTPHostKey NoRSA', [{ kind: 'without', type: 'RSA' }]],
  ['SFTPHostKey noed25519', [{ kind: 'without', type: 'ED25519' }]],
  ['SFTPHostKeys rsa-sha2-512 ssh-dss', ['rsa-sha2-512', 'ssh-dss']],
  ['SFTPKeyExchanges mlkem768x25519-sha256', ['mlkem768x25519-sha256']],
  ['SFTPCiphers aes256-ctr aes128-cbc aes256-ctr', ['aes256-ctr', 'aes128-cbc']],
  ['SFTPDigests hmac-sha1', ['hmac-sha1']],
  ['SFTPCompression delayed', 'delayed'],
  ['SFTPCompression yes', 'on'],
  ['SFTPCompression off', 'off'],
  [
    'SFTPAuthMethods publickey+password keyboard-interactive',
    [['publickey', 'password'], ['keyboard-interactive']],
  ],
  ['SFTPAuthMethods publickey+publickey', [['publickey', 'publickey']]],
  ['SFTPAuthPublicKeys ssh-ed25519 ssh-rsa', ['ssh-ed25519', 'ssh-rsa']],
  [
    'SFTPAuthorizedUserKeys file:~/.sftp/keys file:/etc/keys/%u',
    [
      { kind: 'file', path: '~/.sftp/keys' },
      { kind: 'file', path: '/etc/keys/%u' },
    ],
  ],
  ['SFTPAuthorizedHostKeys file:/etc/hosts.keys', [{ kind: 'file', path: '/etc/hosts.keys' }]],
  ['LockgateTrustedUserCAKeys /etc/ca.pub', '/etc/ca.pub'],
  ['SFTPKeyBlacklist /etc/blacklist.dat', '/etc/blacklist.dat'],
  ['SFTPKeyBlacklist NONE', null],
  ['SFTPKeyFingerprints md5+hex+colons', { hash: 'md5', encoding: 'hex+colons' }],
  ['SFTPKeyFingerprints sha1', { hash: 'sha1', encoding: 'base64' }],
  ['SFTPKeyLimits MinimumRSASize 1024', { ...DEFAULT_SETTINGS.sftpKeyLimits, minimumRsaBits: 1024 }],
  ['SFTPAcceptEnv LC_* TERM', ['LC_*', 'TERM']],
  ['SFTPClientAlive 3 15', { count: 3, interval: 15 }],
  ['SFTPClientAlive 0 0', null],
  [
    'SFTPClientMatch "^OpenSSH_3\\\\.*" channelWindowSize 8MB',
    [{ pattern: /^OpenSSH_3\\.*/s, channelWindowSize: 8 * MEGABYTE }],
  ],
  [
    'SFTPClientMatch WinSCP channelPacketSize 16KB sftpProtocolVersion 1-3 sftpCiphers aes256-ctr,aes128-ctr',
    [
      {
        pattern: /WinSCP/s,
        channelPacketSize: 16 * 1024,
        sftpProtocolVersion: { min: 1, max: 3 },
        sftpCiphers: ['aes256-ctr', 'aes128-ctr'],
      },
    ],
  ],
  ['SFTPDHParamFile /etc/dhparams.pem', '/etc/dhparams.pem'],
  ['SFTPDisplayBanner /etc/banner', '/etc/banner'],
  [
    'SFTPExtensions -copyfile +VENDORID',
    [
      { name: 'copyFile', enabled: false },
      { name: 'vendorID', enabled: true },
    ],
  ],
  ['SFTPMaxChannels 1', 1],
  ['SFTPOptions IgnoreSFTPUploadPerms PessimisticKexinit', ['IgnoreSFTPUploadPerms', 'PessimisticKexinit']],
  ['SFTPPassPhraseProvider /usr/bin/pass', '/usr/bin/pass'],
  ['SFTPRekey none', { kind: 'none' }],
  ['SFTPRekey required', REKEY],
  ['SFTPRekey required 60', { ...REKEY, seconds: 60 }],
  ['SFTPRekey required 900 500 60', { ...REKEY, seconds: 900, bytes: 500 * MEGABYTE, timeoutSeconds: 60 }],
  ['SFTPTrafficPolicy paranoid', 'paranoid'],
  ['SFTPTrafficPolicy none', 'none'],
];

const missing = 'missing parameters';
const count = 'wrong number of parameters';
const notAbsolute = 'must be an absolute path: x';

export const SFTP_INVALID: readonly InvalidCase[] = [
  ['SFTPEngine maybe', 'expected Boolean parameter'],
  ['SFTPLog x', notAbsolute],
  ['SFTPHostKey x', notAbsolute],
  ['SFTPHostKey agent:x', notAbsolute],
  ['SFTPHostKeys x', 'unsupported host key algorithm: x'],
  [
    'SFTPHostKeys ssh-ed25519-cert-v01@openssh.com',
    'unsupported host key algorithm: ssh-ed25519-cert-v01@openssh.com: host certificates are not implemented',
  ],
  ['SFTPKeyExchanges x', 'unsupported key exchange algorithm: x'],
  ['SFTPCiphers aes999', 'unsupported cipher algorithm: aes999'],
  ['SFTPDigests x', 'unsupported digest algorithm: x'],
  [
    'SFTPDigests umac-64@openssh.com',
    'unsupported digest algorithm: umac-64@openssh.com: OpenSSL has no UMAC; use hmac-sha2-256-etm@openssh.com',
  ],
  ['SFTPCompression zip', 'unknown compression setting: zip'],
  ['SFTPAuthMethods password+password', "unsupportable chain of authentication methods 'password+password'"],
  ['SFTPAuthMethods publickey+', 'invalid authentication parameter: publickey+'],
  ['SFTPAuthMethods gssapi', "unsupported authentication method 'gssapi'"],
  [
    'SFTPAuthMethods keyboard-interactive:pam',
    "unsupported authentication method 'keyboard-interactive:pam': no such driver",
  ],
  ['SFTPAuthPublicKeys x', 'unsupported public key algorithm: x'],
  ['SFTPAuthorizedUserKeys /etc/keys', "badly formatted parameter: '/etc/keys'"],
  ['SFTPAuthorizedUserKeys ldap:/x', "unsupported key store: 'ldap:/x'"],
  ['SFTPAuthorizedHostKeys file:x', notAbsolute],
  ['LockgateTrustedUserCAKeys x', notAbsolute],
  ['SFTPKeyBlacklist x', "path 'x' not an absolute path"],
  ['SFTPKeyFingerprints sha512', "unsupported key fingerprint format: 'sha512'"],
  ['SFTPKeyLimits MinimumFooSize 1', "unknown SFTPKeyLimit 'MinimumFooSize'"],
  ['SFTPKeyLimits MinimumRSASize', count],
  ['SFTPAcceptEnv A=B', "invalid environment variable name: 'A=B'"],
  ['SFTPClientAlive 3', count],
  ['SFTPClientAlive 3 0', 'count and interval must both be greater than zero, or both zero'],
  ['SFTPClientMatch a channelWindowSize', count],
  [
    'SFTPClientMatch a channelPacketSize 1MB',
    "'channelPacketSize' value 1MB too large, must be less than 262144B",
  ],
  ['SFTPClientMatch a sftpProtocolVersion 7', "'sftpProtocolVersion' value 7 must be between 1 and 6"],
  ['SFTPClientMatch a sftpProtocolVersion three', "badly formatted 'sftpProtocolVersion' value: three"],
  ['SFTPClientMatch a colour red', "unknown SFTPClientMatch key: 'colour'"],
  ['SFTPDHParamFile x', notAbsolute],
  ['SFTPDisplayBanner', missing],
  ['SFTPExtensions fsync', "bad option: 'fsync'"],
  ['SFTPExtensions +teleport', "unknown extension: 'teleport'"],
  ['SFTPMaxChannels 0', 'value must be between 1 and 1000'],
  ['SFTPOptions Foo', "unknown SFTPOption 'Foo'"],
  ['SFTPPassPhraseProvider x', notAbsolute],
  ['SFTPRekey sometimes', "expected either 'none' or 'required'"],
  ['SFTPRekey required 0', "rekey interval '0' must be greater than zero"],
  ['SFTPRekey required 60 many', "rekey MB 'many' must be numeric"],
  ['SFTPRekey required 60 5 0', "rekey timeout '0' must be greater than zero"],
  ['SFTPTrafficPolicy loud', "'loud' is not a recognized policy"],
];
