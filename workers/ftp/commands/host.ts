/** HOST (RFC 7151): which of the virtual hosts behind this address the client means. */
import { isIP } from 'node:net';
import { normaliseAddress } from '../../../src/config/address-pattern.ts';
import { globMatches } from '../../../src/config/glob-match.ts';
import type { VirtualHost } from '../../../src/config/server-config.ts';
import type { FtpCommand } from '../command.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';

const SUCCESS = reply(220, 'HOST command successful');
const BAD_SEQUENCE = reply(503, 'Bad sequence of commands');

function unknownHost(name: string): Reply {
  return reply(504, `${name}: Unknown hostname provided`);
}

/** The virtual host of this listener whose ServerAlias matches; names without regard to case, `*` allowed. */
export function findVirtualHost(session: FtpSession, name: string): VirtualHost | null {
  const wanted = name.toLowerCase();
  for (const id of session.context.siblings) {
    const host = session.config.server.virtualHosts[id];
    const aliases = host?.settings.serverAlias ?? [];
    if (host !== undefined && aliases.some((alias) => globMatches(alias.toLowerCase(), wanted))) return host;
  }
  return null;
}

/** `[::1]` is an address by its brackets (RFC 7151, section 3.1); null when the argument is a name. */
function addressOf(name: string): { readonly address: string | null } | null {
  const bracketed = /^\[(.*)\]$/.exec(name)?.[1];
  if (bracketed !== undefined) return { address: isIP(bracketed) === 6 ? bracketed : null };
  if (isIP(name) === 4) return { address: name };
  // A name may hold neither a colon nor only digits and dots.
  return name.includes(':') || /^[\d.]+$/.test(name) ? { address: null } : null;
}

function chooseHost(session: FtpSession, name: string): Reply {
  if (session.login.kind !== 'new') return BAD_SEQUENCE;
  const literal = addressOf(name);
  if (literal?.address === null) return reply(501, `${name}: Invalid IP address provided`);
  if (session.protection.controlState !== 'clear') {
    // The handshake chose the host already; HOST may only repeat it (RFC 7151, section 3.2.1).
    const { serverName } = session.protection;
    if (serverName === null) return BAD_SEQUENCE;
    return serverName.toLowerCase() === name.toLowerCase() ? SUCCESS : unknownHost(name);
  }
  if (literal !== null) {
    const isOurs =
      normaliseAddress(literal.address ?? '') === normaliseAddress(session.context.facts.localAddress);
    return isOurs ? SUCCESS : unknownHost(name);
  }
  const host = findVirtualHost(session, name);
  if (host === null) return unknownHost(name);
  session.requestedHost = name;
  if (host.id !== session.config.virtualHost.id) session.useConfig(session.config.withVirtualHost(host));
  return SUCCESS;
}

export const hostCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['HOST'],
    syntax: 'HOST <sp> hostname',
    feature: () => 'HOST',
    phase: 'any',
    logClasses: ['AUTH'],
    allowedInClear: true,
    argumentCount: [1, 1],
    run: (session, argument) => chooseHost(session, argument.trim()),
  }),
];
