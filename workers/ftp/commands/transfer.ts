/** Rows of the commands that move files and set up their connections. */
import type { FtpCommand, LimitGroup } from '../command.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { parseAllocation, parseOffset, parseRange } from '../wire/transfer-argument.ts';
import { activePort, extendedPassive, extendedPort, passive } from './data-address.ts';
import { retrieve } from './retrieve.ts';
import { commandRow } from './row.ts';
import { append, store, storeUnique } from './store.ts';

const INVALID_COUNT = 'Invalid number of parameters';

function withPath(
  run: (session: FtpSession, argument: string) => Promise<Reply>,
): (session: FtpSession, argument: string) => Reply | Promise<Reply> {
  return (session, argument) => (argument === '' ? reply(501, INVALID_COUNT) : run(session, argument));
}

function fileRow(verb: string, syntax: string, limitGroup: LimitGroup, run: FtpCommand['run']): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax,
    limitGroup,
    logClasses: [limitGroup === 'READ' ? 'READ' : 'WRITE'],
    usesDataConnection: true,
    argumentCount: null,
    run,
  });
}

/** RETR STOR STOU APPE ABOR PASV EPSV PORT EPRT REST RANG ALLO. */
export const transferCommands: readonly FtpCommand[] = [
  fileRow('RETR', 'RETR <sp> pathname', 'READ', withPath(retrieve)),
  fileRow('STOR', 'STOR <sp> pathname', 'WRITE', withPath(store)),
  fileRow('STOU', 'STOU (store unique filename)', 'WRITE', storeUnique),
  fileRow('APPE', 'APPE <sp> pathname', 'WRITE', withPath(append)),
  commandRow({
    verbs: ['ABOR'],
    syntax: 'ABOR (abort current operation)',
    logClasses: ['MISC'],
    duringTransfer: true,
    argumentCount: [0, 0],
    run: abort,
  }),
  commandRow({
    verbs: ['PASV'],
    syntax: 'PASV (returns address/port)',
    inLimitAll: false,
    logClasses: ['MISC'],
    argumentCount: [0, 0],
    run: passive,
  }),
  commandRow({
    verbs: ['EPSV'],
    syntax: 'EPSV (returns port |||port|)',
    feature: () => 'EPSV',
    inLimitAll: false,
    logClasses: ['MISC'],
    argumentCount: [0, 1],
    run: extendedPassive,
  }),
  commandRow({
    verbs: ['PORT'],
    syntax: 'PORT <sp> h1,h2,h3,h4,p1,p2',
    inLimitAll: false,
    logClasses: ['MISC'],
    argumentCount: [1, 1],
    run: activePort,
  }),
  commandRow({
    verbs: ['EPRT'],
    syntax: 'EPRT <sp> |proto|addr|port|',
    feature: () => 'EPRT',
    inLimitAll: false,
    logClasses: ['MISC'],
    argumentCount: [1, 1],
    run: extendedPort,
  }),
  commandRow({
    verbs: ['REST'],
    syntax: 'REST <sp> byte-count',
    feature: () => 'REST STREAM',
    logClasses: ['MISC'],
    argumentCount: [1, 1],
    run: restart,
  }),
  commandRow({
    verbs: ['RANG'],
    syntax: 'RANG <sp> start-point <sp> end-point',
    feature: () => 'RANG STREAM',
    logClasses: ['MISC'],
    argumentCount: [2, 2],
    run: range,
  }),
  commandRow({
    verbs: ['ALLO'],
    syntax: 'ALLO <sp> size [R <sp> size]',
    logClasses: ['MISC'],
    argumentCount: [1, 3],
    run: allocate,
  }),
];

/** ABOR: the running transfer answers 426 first (RFC 959, section 4.1.3). */
async function abort(session: FtpSession): Promise<Reply> {
  await session.activeTransfer?.abort('abor');
  return reply(226, 'Abort successful');
}

function restart(session: FtpSession, argument: string): Reply {
  const offset = parseOffset(argument.trim());
  if (offset === null) return reply(501, 'REST requires a value greater than or equal to 0');
  if (offset > 0 && session.transferType === 'ascii') {
    return reply(501, 'REST: Resuming transfers not allowed in ASCII mode');
  }
  session.restartOffset = offset;
  session.range = null;
  return reply(350, `Restarting at ${offset}. Send STORE or RETRIEVE to initiate transfer`);
}

function range(session: FtpSession, argument: string): Reply {
  const parsed = parseRange(argument);
  switch (parsed.kind) {
    case 'malformed':
      return reply(501, 'RANG requires a start and an end not before it');
    case 'too-large':
      return reply(552, 'RANG: no file is that large');
    case 'reset':
      session.range = null;
      return reply(350, 'Reset byte transfer range');
    case 'range':
      if (session.transferType === 'ascii') {
        return reply(551, 'RANG: Transferring byte ranges not allowed in ASCII mode');
      }
      session.range = { start: parsed.start, end: parsed.end };
      session.restartOffset = 0;
      return reply(
        350,
        `Transferring byte range of ${parsed.end - parsed.start + 1} bytes starting from ${parsed.start}`,
      );
  }
}

/** Nothing is reserved; but a client that asks is told now when the disk cannot hold it. */
function allocate(session: FtpSession, argument: string): Reply {
  const bytes = parseAllocation(argument);
  if (bytes === null) return reply(504, `ALLO: unable to use '${argument}'`);
  if (bytes > session.vfs.freeBytes(session.vfs.cwd)) return reply(552, 'ALLO: not enough space available');
  return reply(202, 'No storage allocation necessary');
}
