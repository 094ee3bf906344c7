/** AUTH PBSZ PROT CCC (RFC 2228, RFC 4217) and SSCN; tls/session-protection.ts knows what they do. */
import type { FtpCommand } from '../command.ts';
import type { FtpSession } from '../session-types.ts';
import { commandRow } from './row.ts';

/** FEAT names them only where TLS is on (RFC 4217, section 6). */
function whereEnabled(line: string): (session: FtpSession) => string | null {
  return (session) => (session.protection.enabled ? line : null);
}

/** Arguments are counted by the commands themselves: before AUTH they answer 500 whatever stands behind them. */
export const securityCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['AUTH'],
    syntax: 'AUTH <sp> base64-data',
    argumentCount: null,
    feature: whereEnabled('AUTH TLS'),
    phase: 'any',
    logClasses: ['SEC'],
    allowedInClear: true,
    run: (session, argument) => session.protection.authenticate(argument),
  }),
  commandRow({
    verbs: ['CCC'],
    syntax: 'CCC (clears protection level)',
    argumentCount: null,
    feature: whereEnabled('CCC'),
    phase: 'any',
    logClasses: ['SEC'],
    run: (session) => session.protection.clearControl(),
  }),
  commandRow({
    verbs: ['PBSZ'],
    syntax: 'PBSZ <sp> protection buffer size',
    argumentCount: null,
    feature: whereEnabled('PBSZ'),
    phase: 'any',
    inLimitAll: false,
    logClasses: ['SEC'],
    run: (session, argument) => session.protection.setBufferSize(argument),
  }),
  commandRow({
    verbs: ['PROT'],
    syntax: 'PROT <sp> protection code',
    argumentCount: null,
    feature: whereEnabled('PROT'),
    phase: 'any',
    inLimitAll: false,
    logClasses: ['SEC'],
    run: (session, argument) => session.protection.setDataLevel(argument),
  }),
  commandRow({
    verbs: ['SSCN'],
    syntax: 'SSCN [<sp> ON|OFF]',
    argumentCount: null,
    feature: whereEnabled('SSCN'),
    phase: 'any',
    logClasses: ['SEC'],
    run: (session, argument) => session.protection.setClientMethod(argument),
  }),
];
