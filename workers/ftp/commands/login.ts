/** USER PASS ACCT REIN SMNT QUIT (RFC 959, section 4.1.1), and verbs of RFC 2228 that TLS leaves without work. */
import type { FtpCommand } from '../command.ts';
import { displaySessionFile } from '../display-file.ts';
import { givePassword, giveUser } from '../login.ts';
import type { FtpSession } from '../session-types.ts';
import { withLinesBefore, type Reply } from '../wire/reply.ts';
import { commandRow, unimplementedRow } from './row.ts';

const GOODBYE: Reply = { code: 221, text: 'Goodbye.', close: true };

/** A running transfer is aborted and says its 426 first. */
async function quit(session: FtpSession): Promise<Reply> {
  await session.activeTransfer?.abort('quit');
  const { displayQuit } = session.settings;
  if (displayQuit === null) return GOODBYE;
  return withLinesBefore(GOODBYE, (await displaySessionFile(session, displayQuit)) ?? []);
}

export const loginCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['USER'],
    syntax: 'USER <sp> username',
    phase: 'any',
    inLimitAll: false,
    logClasses: ['AUTH'],
    isLoginCommand: true,
    argumentCount: null,
    run: giveUser,
  }),
  commandRow({
    verbs: ['PASS'],
    syntax: 'PASS <sp> password',
    phase: 'any',
    inLimitAll: false,
    logClasses: ['AUTH'],
    isLoginCommand: true,
    argumentCount: null,
    run: givePassword,
  }),
  commandRow({
    verbs: ['QUIT'],
    syntax: 'QUIT (close control connection)',
    phase: 'any',
    inLimitAll: false,
    logClasses: ['INFO'],
    duringTransfer: true,
    allowedInClear: true,
    keepsRename: true,
    argumentCount: null,
    run: quit,
  }),
  unimplementedRow('ACCT', { logClasses: ['AUTH'], isLoginCommand: true }),
  unimplementedRow('REIN', { logClasses: ['AUTH'] }),
  unimplementedRow('SMNT'),
  unimplementedRow('ADAT', { logClasses: ['SEC'] }),
  ...['CONF', 'ENC', 'MIC'].map((verb) => unimplementedRow(verb, { logClasses: ['SEC'], keepsRename: true })),
];
