/** PASV, EPSV, PORT, EPRT: where the next data connection comes from or goes to. */
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { normaliseAddress } from '../../../src/config/address-pattern.ts';
import { admitsDataAddress } from '../foreign-address.ts';
import type { FtpSession } from '../session-types.ts';
import {
  encodeEpsv,
  encodePasv,
  isPrivateIPv4,
  parseExtendedPort,
  parsePortArgument,
  type HostPort,
} from '../wire/port-argument.ts';
import { reply, type Reply } from '../wire/reply.ts';

const LOWEST_DATA_PORT = 1024;
const NO_PORT = 'Unable to build data connection: Address already in use';

function inEffect(verb: string): Reply {
  return reply(500, `Illegal ${verb} command, EPSV ALL in effect`);
}

function localAddress(session: FtpSession): string {
  const { localAddress: address } = session.context.facts;
  return normaliseAddress(address) ?? address;
}

function clientAddress(session: FtpSession): string {
  const { remoteAddress } = session.context.facts;
  return normaliseAddress(remoteAddress) ?? remoteAddress;
}

/** PASV (RFC 959); its answer has room for an IPv4 address only. */
export async function passive(session: FtpSession): Promise<Reply> {
  if (session.epsvAll) return inEffect('PASV');
  if (!isIPv4(localAddress(session))) return reply(501, 'PASV: Operation not permitted');
  const port = await session.data.listen();
  if (port === null) return reply(425, NO_PORT);
  return reply(227, `Entering Passive Mode ${encodePasv(await announcedAddress(session), port)}.`);
}

/** EPSV, EPSV 1, EPSV 2, EPSV ALL (RFC 2428, section 3). */
export async function extendedPassive(session: FtpSession, argument: string): Promise<Reply> {
  const word = argument.trim().toUpperCase();
  if (word === 'ALL') {
    session.epsvAll = true;
    return reply(200, 'EPSV ALL command successful');
  }
  if (word !== '') {
    if (!/^\d{1,5}$/.test(word)) return reply(501, `EPSV: unable to parse '${argument}'`);
    if (Number(word) !== sessionFamily(session)) return wrongFamily(session, Number(word));
  }
  const port = await session.data.listen();
  if (port === null) return reply(425, NO_PORT);
  return reply(229, `Entering Extended Passive Mode ${encodeEpsv(port)}`);
}

/** PORT h1,h2,h3,h4,p1,p2. */
export function activePort(session: FtpSession, argument: string): Reply {
  if (session.epsvAll) return inEffect('PORT');
  const refusal = refusesActive(session);
  if (refusal !== null) return refusal;
  const target = parsePortArgument(argument);
  if (target === null || !isIPv4(localAddress(session))) return reply(501, 'Illegal PORT command');
  return acceptTarget(session, 'PORT', argument, target);
}

/** EPRT |family|address|port| (RFC 2428, section 2). */
export function extendedPort(session: FtpSession, argument: string): Reply {
  if (session.epsvAll) return inEffect('EPRT');
  const refusal = refusesActive(session);
  if (refusal !== null) return refusal;
  const parsed = parseExtendedPort(argument);
  if (parsed.kind === 'malformed') return reply(501, 'Illegal EPRT command');
  if (parsed.kind === 'unknown-protocol') return wrongFamily(session, 0);
  const address = normaliseAddress(parsed.target.address) ?? parsed.target.address;
  const family = isIPv4(address) ? 1 : 2;
  if (family !== sessionFamily(session)) return wrongFamily(session, family);
  return acceptTarget(session, 'EPRT', argument, { address, port: parsed.target.port });
}

/** A server on a low port that gave up root for good could only connect from an unexpected source port. */
function refusesActive(session: FtpSession): Reply | null {
  const lowPort = session.context.facts.localPort < LOWEST_DATA_PORT;
  if (session.settings.rootRevoke !== 'on' || !lowPort) return null;
  return reply(500, 'Unable to service PORT commands');
}

/** The bounce attack's two doors: somebody else's address, and ports below 1024 (RFC 2577, section 3). */
function acceptTarget(session: FtpSession, verb: string, argument: string, asked: HostPort): Reply {
  const { log } = session.context;
  const target = replacesPrivate(session, asked.address)
    ? { ...asked, address: clientAddress(session) }
    : asked;
  if (!admitsDataAddress(session, target.address)) {
    log.system('warn', `Refused ${verb} ${argument} (address mismatch)`);
    return reply(500, `Illegal ${verb} command`);
  }
  if (target.port < LOWEST_DATA_PORT) {
    log.system(
      'warn',
      `Refused ${verb} ${argument} (port ${target.port} below 1024, possible bounce attack)`,
    );
    return reply(500, `Illegal ${verb} command`);
  }
  session.data.connectTo(target.address, target.port);
  return reply(200, `${verb} command successful`);
}

/** A client behind NAT names its inner address; a public (or masqueraded) server cannot mean that host. */
function replacesPrivate(session: FtpSession, address: string): boolean {
  if (!isPrivateIPv4(address) || isPrivateIPv4(clientAddress(session))) return false;
  return session.settings.masqueradeAddress !== null || !isPrivateIPv4(localAddress(session));
}

function sessionFamily(session: FtpSession): 1 | 2 {
  return isIPv4(localAddress(session)) ? 1 : 2;
}

/** 522 names what would work: both families for an unknown one, else the family of this connection. */
function wrongFamily(session: FtpSession, asked: number): Reply {
  const known = session.settings.useIPv6 ? '(1,2)' : '(1)';
  const use = asked === 1 || asked === 2 ? `(${sessionFamily(session)})` : known;
  return reply(522, `Network protocol not supported, use ${use}`);
}

/** TLSMasqueradeAddress under TLS, else MasqueradeAddress, else the address the client connected to. */
async function announcedAddress(session: FtpSession): Promise<string> {
  const { settings, protection } = session;
  const secured = protection.controlState === 'clear' ? null : settings.tlsMasqueradeAddress;
  const configured = secured ?? settings.masqueradeAddress;
  if (configured === null) return localAddress(session);
  const numeric = normaliseAddress(configured);
  if (numeric !== null) return isIPv4(numeric) ? numeric : localAddress(session);
  return resolveMasquerade(session, configured);
}

const resolved = new Map<string, { readonly address: string; readonly until: number }>();
const RESOLVED_FOR_MS = 60_000;
const MAX_RESOLVED = 256;

/** The configuration normally holds an address already; a name that was left in it is looked up, once a minute. */
async function resolveMasquerade(session: FtpSession, name: string): Promise<string> {
  const known = resolved.get(name);
  if (known !== undefined && known.until > Date.now()) return known.address;
  try {
    const { address } = await lookup(name, { family: 4 });
    if (resolved.size >= MAX_RESOLVED) resolved.clear();
    resolved.set(name, { address, until: Date.now() + RESOLVED_FOR_MS });
    return address;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    session.context.log.system('warn', `unable to resolve MasqueradeAddress '${name}': ${code}`);
    return known?.address ?? localAddress(session);
  }
}
