/** OPTS (RFC 2389, section 4): UTF8 and MLST (RFC 3659, section 7.9). */
import type { FtpCommand } from '../command.ts';
import { selectFacts } from '../fact-names.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';

function setUtf8(session: FtpSession, name: string, value: string): Reply {
  const wanted = value.toUpperCase();
  if (wanted !== '' && wanted !== 'ON' && wanted !== 'OFF')
    return reply(501, `'${name} ${value}' not understood`);
  // Without UseEncoding names are bytes to this server: it cannot promise that they are UTF-8.
  if (!session.settings.useEncoding && wanted !== 'OFF')
    return reply(451, `Unable to accept ${name} ${wanted || 'ON'}`);
  session.utf8 = wanted !== 'OFF';
  return reply(200, `UTF8 set to ${session.utf8 ? 'on' : 'off'}`);
}

/** Facts that do not exist are left out, not refused; the answer says which are in force. */
function setFacts(session: FtpSession, value: string): Reply {
  session.mlstFacts = selectFacts(value.split(';').map((name) => name.trim()));
  return reply(200, `MLST OPTS ${session.mlstFacts.map((name) => `${name};`).join('')}`.trimEnd());
}

function setOption(session: FtpSession, argument: string): Reply {
  const space = argument.indexOf(' ');
  const name = space === -1 ? argument : argument.slice(0, space);
  const value = space === -1 ? '' : argument.slice(space + 1).trim();
  switch (name.toUpperCase()) {
    case 'UTF8':
    case 'UTF-8':
      return setUtf8(session, name.toUpperCase(), value);
    case 'MLST':
      return session.settings.factsAdvertise
        ? setFacts(session, value)
        : reply(500, `OPTS ${name} not understood`);
    default:
      return reply(500, `OPTS ${name} not understood`);
  }
}

export const optionCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['OPTS'],
    syntax: 'OPTS <sp> command [<sp> options]',
    feature: (session) => (session.settings.useEncoding ? 'UTF8' : null),
    phase: 'any',
    inLimitAll: false,
    argumentCount: null,
    run: (session, argument) =>
      argument.trim() === ''
        ? reply(501, 'Invalid number of parameters')
        : setOption(session, argument.trim()),
  }),
];
