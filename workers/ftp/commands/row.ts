/** Rows with the policy most commands share; a row states only what is particular to it. */
import type { FtpCommand } from '../command.ts';
import { reply } from '../wire/reply.ts';

const noFeature = (): null => null;

const defaults: Omit<FtpCommand, 'verbs' | 'syntax' | 'argumentCount' | 'run'> = {
  implemented: true,
  feature: noFeature,
  phase: 'login',
  limitGroup: null,
  inLimitAll: true,
  logClasses: ['MISC'],
  duringTransfer: false,
  usesDataConnection: false,
  allowedInClear: false,
  isLoginCommand: false,
  keepsRename: false,
};

/** A command of phase `login` outside of every group, unless said otherwise. */
export function commandRow(
  row: Partial<FtpCommand> & Pick<FtpCommand, 'verbs' | 'syntax' | 'argumentCount' | 'run'>,
): FtpCommand {
  return { ...defaults, ...row };
}

/** A verb that is known and answers 502; HELP marks it with `*`. */
export function unimplementedRow(verb: string, more: Partial<FtpCommand> = {}): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax: verb,
    argumentCount: null,
    phase: 'any',
    implemented: false,
    run: () => reply(502, `${verb} command not implemented`),
    ...more,
  });
}
