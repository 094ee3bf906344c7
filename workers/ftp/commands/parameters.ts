/** TYPE STRU MODE (RFC 959, section 4.1.2). */
import type { FtpCommand } from '../command.ts';
import type { FtpSession } from '../session-types.ts';
import { splitWords } from '../wire/command-line.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';

/** `A`, `A N`, `I`, `L8`, `L 8`; bytes have eight bits here, so L 8 is I. */
function setType(session: FtpSession, argument: string): Reply {
  const words = splitWords(argument.toUpperCase());
  const [type, form = 'N'] = words;
  if (type === 'A' && form === 'N') {
    session.transferType = 'ascii';
    return reply(200, 'Type set to A');
  }
  if ((type === 'I' && words.length === 1) || words.join('') === 'L8') {
    session.transferType = 'binary';
    return reply(200, 'Type set to I');
  }
  return reply(504, `TYPE not implemented for '${argument}' parameter`);
}

function setStructure(argument: string): Reply {
  switch (argument.toUpperCase()) {
    case 'F':
      return reply(200, 'Structure set to F');
    case 'R':
    case 'P':
      return reply(504, `'STRU ${argument}' unsupported structure type`);
    default:
      return reply(501, `'STRU ${argument}' unrecognized structure type`);
  }
}

function setMode(argument: string): Reply {
  switch (argument.toUpperCase()) {
    case 'S':
      return reply(200, 'Mode set to S');
    case 'B':
    case 'C':
      return reply(504, `'MODE ${argument}' unsupported transfer mode`);
    default:
      return reply(501, `'MODE ${argument}' unrecognized transfer mode`);
  }
}

export const parameterCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['TYPE'],
    syntax: 'TYPE <sp> type-code (A, I, L 8)',
    argumentCount: [1, 2],
    run: setType,
  }),
  commandRow({
    verbs: ['STRU'],
    syntax: 'STRU <sp> structure-code (F)',
    argumentCount: [1, 1],
    run: (_session, argument) => setStructure(argument.trim()),
  }),
  commandRow({
    verbs: ['MODE'],
    syntax: 'MODE <sp> mode-code (S)',
    argumentCount: [1, 1],
    run: (_session, argument) => setMode(argument.trim()),
  }),
];
