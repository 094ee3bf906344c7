/** FEAT (RFC 2389) SYST HELP NOOP STAT (RFC 959) CLNT CSID LANG (RFC 2640). */
import { LOCKGATE_VERSION } from '../../../src/version.ts';
import type { FtpCommand } from '../command.ts';
import { isDenied } from '../gates.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { statusLines } from '../status-lines.ts';
import { listToControl } from './listing.ts';
import { commandRow } from './row.ts';
import { siteHelp } from './site.ts';

/** The order in which HELP has always listed them; what is not here follows in the table's order. */
const helpOrder: readonly string[] = [
  ...[
    'CWD',
    'XCWD',
    'CDUP',
    'XCUP',
    'SMNT',
    'QUIT',
    'PORT',
    'PASV',
    'EPRT',
    'EPSV',
    'ALLO',
    'RNFR',
    'RNTO',
    'DELE',
  ],
  ...[
    'MDTM',
    'RMD',
    'XRMD',
    'MKD',
    'XMKD',
    'PWD',
    'XPWD',
    'SIZE',
    'SYST',
    'HELP',
    'NOOP',
    'FEAT',
    'OPTS',
    'HOST',
  ],
  ...[
    'CLNT',
    'AUTH',
    'CCC',
    'CONF',
    'ENC',
    'MIC',
    'PBSZ',
    'PROT',
    'TYPE',
    'STRU',
    'MODE',
    'RETR',
    'STOR',
    'STOU',
  ],
  ...[
    'APPE',
    'REST',
    'ABOR',
    'RANG',
    'USER',
    'PASS',
    'ACCT',
    'REIN',
    'LIST',
    'NLST',
    'STAT',
    'SITE',
    'MLSD',
    'MLST',
  ],
];

const HELP_COLUMNS = 8;
const HELP_WIDTH = 8;

/** Works only where TLSEngine is on: HELP marks them like unimplemented ones elsewhere. */
const tlsVerbs: ReadonlySet<string> = new Set(['AUTH', 'CCC', 'PBSZ', 'PROT', 'SSCN']);

function isAvailable(session: FtpSession, verb: string): boolean {
  if (tlsVerbs.has(verb) && !session.protection.enabled) return false;
  return session.commands.get(verb)?.implemented === true;
}

function help(session: FtpSession, argument: string): Reply {
  const topic = argument.trim().toUpperCase();
  if (topic === 'SITE' || topic.startsWith('SITE ')) return siteHelp(session);
  if (topic !== '') {
    const command = session.commands.get(topic);
    if (command === undefined) return reply(502, `Unknown command '${argument.trim()}'`);
    return reply(
      214,
      isAvailable(session, topic) ? `Syntax: ${command.syntax}` : `Syntax: ${topic} is not implemented`,
    );
  }
  const known = [...session.commands.keys()];
  const listed = helpOrder.filter((verb) => session.commands.has(verb));
  const verbs = [...listed, ...known.filter((verb) => !helpOrder.includes(verb))];
  const cells = verbs.map((verb) => `${verb}${isAvailable(session, verb) ? '' : '*'}`.padEnd(HELP_WIDTH));
  const body: string[] = [];
  for (let index = 0; index < cells.length; index += HELP_COLUMNS) {
    body.push(cells.slice(index, index + HELP_COLUMNS).join(''));
  }
  return {
    code: 214,
    text: "The following commands are recognized (* =>'s unimplemented):",
    body,
    end: `Direct comments to ${session.settings.serverAdmin}`,
  };
}

/** Verbs whose FEAT line disappears where `<Limit>` denies them: a client would try them first. */
const hiddenWhenLimited: ReadonlySet<string> = new Set(['EPRT', 'EPSV']);

function features(session: FtpSession): Reply {
  const lines: string[] = [];
  for (const command of new Set(session.commands.values())) {
    const verb = command.verbs[0] ?? '';
    const line = command.feature(session);
    if (line === null || (hiddenWhenLimited.has(verb) && isDenied(session, verb, '', true))) continue;
    lines.push(line);
  }
  if (lines.length === 0) return reply(211, 'No features supported');
  lines.sort((a, b) => compareText(a.toLowerCase(), b.toLowerCase()));
  return { code: 211, text: 'Features:', body: lines, end: 'End' };
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function status(session: FtpSession, argument: string): Reply | Promise<Reply> {
  if (argument !== '') return listToControl(session, argument);
  return {
    code: 211,
    text: `Status of '${session.settings.serverName}'`,
    body: statusLines(session),
    end: 'End of status',
  };
}

/** RFC 2640, section 4.1: without a tag, or with ours, the language that is spoken; any other is refused. */
function language(argument: string): Reply {
  const tag = argument.trim().replace('_', '-').toLowerCase();
  if (tag === '' || tag === 'en' || tag === 'en-us' || tag === '*') return reply(200, 'Using language en_US');
  return reply(504, `Language ${argument.trim()} not supported`);
}

/** Names of clients end up in `%{note:...}`; longer ones are cut. */
const CLIENT_NAME_LIMIT = 128;

function noteClient(session: FtpSession, key: string, argument: string): void {
  session.context.facts.notes.set(key, argument.slice(0, CLIENT_NAME_LIMIT));
}

export const informationCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['SYST'],
    syntax: 'SYST (returns system type)',
    phase: 'any',
    logClasses: ['INFO'],
    allowedInClear: true,
    argumentCount: [0, 0],
    run: () => reply(215, 'UNIX Type: L8'),
  }),
  commandRow({
    verbs: ['HELP'],
    syntax: 'HELP [<sp> command]',
    phase: 'any',
    logClasses: ['INFO'],
    keepsRename: true,
    argumentCount: null,
    run: help,
  }),
  commandRow({
    verbs: ['NOOP'],
    syntax: 'NOOP (no operation)',
    phase: 'any',
    keepsRename: true,
    argumentCount: null,
    run: () => reply(200, 'NOOP command successful'),
  }),
  commandRow({
    verbs: ['FEAT'],
    syntax: 'FEAT (returns feature list)',
    phase: 'any',
    logClasses: ['INFO'],
    allowedInClear: true,
    argumentCount: [0, 0],
    run: features,
  }),
  commandRow({
    verbs: ['STAT'],
    syntax: 'STAT [<sp> pathname]',
    limitGroup: 'DIRS',
    logClasses: ['INFO'],
    duringTransfer: true,
    keepsRename: true,
    argumentCount: null,
    run: status,
  }),
  commandRow({
    verbs: ['CLNT'],
    syntax: 'CLNT <sp> client-name',
    feature: () => 'CLNT',
    phase: 'any',
    logClasses: ['INFO'],
    allowedInClear: true,
    argumentCount: null,
    run: (session, argument) => {
      if (argument === '') return reply(501, 'Invalid number of parameters');
      noteClient(session, 'clnt', argument);
      return reply(200, 'OK');
    },
  }),
  commandRow({
    verbs: ['CSID'],
    syntax: 'CSID <sp> Name=client-name;Version=version;',
    feature: () => 'CSID',
    phase: 'any',
    logClasses: ['INFO'],
    argumentCount: null,
    run: (session, argument) => {
      if (argument === '') return reply(501, 'Invalid number of parameters');
      noteClient(session, 'csid', argument);
      return reply(200, `Name=Lockgate;Version=${LOCKGATE_VERSION};CaseSensitive=1;DirSep=/;`);
    },
  }),
  commandRow({
    verbs: ['LANG'],
    syntax: 'LANG [<sp> language-tag]',
    feature: () => 'LANG en-US*',
    phase: 'any',
    argumentCount: null,
    run: (_session, argument) => language(argument),
  }),
];
