/** mod_sftp, mod_sftp_pam (sftp-directives, section 2). */
import type { DirectiveRow } from '../directive-row.ts';
import { absentEngine, refusedNames, S, SVG } from './contexts.ts';

const because = 'SFTP is not part of this release yet';
const sftp = { module: 'mod_sftp', contexts: SVG };

export const SFTP: readonly DirectiveRow[] = [
  absentEngine(sftp, 'SFTPEngine', 'off', because),
  ...refusedNames(sftp, because, [
    'SFTPAcceptEnv',
    'SFTPAuthMethods',
    'SFTPAuthPublicKeys',
    'SFTPAuthorizedHostKeys',
    'SFTPAuthorizedUserKeys',
    'SFTPCiphers',
    'SFTPClientAlive',
    'SFTPClientMatch',
    'SFTPCompression',
    'SFTPCryptoDevice',
    'SFTPDHParamFile',
    'SFTPDigests',
    'SFTPDisplayBanner',
    'SFTPExtensions',
    'SFTPHostKey',
    'SFTPHostKeys',
    'SFTPKeyBlacklist',
    'SFTPKeyExchanges',
    'SFTPKeyFingerprints',
    'SFTPKeyLimits',
    'SFTPLog',
    'SFTPMaxChannels',
    'SFTPOptions',
    'SFTPRekey',
    'SFTPTrafficPolicy',
  ]),
  ...refusedNames({ module: 'mod_sftp', contexts: S }, because, ['SFTPPassPhraseProvider']),
  absentEngine({ module: 'mod_sftp_pam', contexts: SVG }, 'SFTPPAMEngine', 'on', because),
  ...refusedNames({ module: 'mod_sftp_pam', contexts: SVG }, because, [
    'SFTPPAMOptions',
    'SFTPPAMServiceName',
  ]),
];
