/** CHANNEL_REQUEST (RFC 4254, section 6): what a client may ask of a session channel. */
import type { ChannelServices } from '../ssh-channel.ts';
import type { SshSession } from '../ssh-types.ts';
import {
  encodeChannelFailure,
  encodeChannelSuccess,
  parseChannelRequest,
  parseCommand,
  parseEnvironment,
  type ChannelRequest,
} from '../wire/connection-messages.ts';
import { acceptsVariable } from './accepted-environment.ts';
import type { Channel } from './channel.ts';

export interface RequestContext {
  channel(id: number): Channel | null;
  readonly services: ChannelServices;
  readonly session: SshSession;
  send(answer: Buffer): void;
}

/** `env` requests of one channel; OpenSSH sends what its configuration names, a dozen at most. */
const MAX_VARIABLES = 128;
/** What all channels of a session, closed ones too, leave in its environment for the logs. */
const MAX_SESSION_VARIABLES = 128;
/** Of a command line in SFTPLog; the rest serves only to fill the disk. */
const MAX_LOGGED = 1_024;

type Answer = (channel: Channel, request: ChannelRequest, context: RequestContext) => boolean;

const unsupported =
  (name: string): Answer =>
  (_channel, _request, { session }) => {
    session.sftpLog(`unsupported '${name}' channel requested, ignoring`);
    return false;
  };

const ANSWERS: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['env', setVariable],
  ['subsystem', startSubsystem],
  ['exec', startCommand],
  ['pty-req', unsupported('pty-req')],
  ['shell', unsupported('shell')],
  ['x11-req', unsupported('x11-req')],
  ['auth-agent-req@openssh.com', unsupported('auth-agent-req@openssh.com')],
  [
    'eow@openssh.com',
    (channel) => {
      channel.stopSending();
      return true;
    },
  ],
]);

/** Answers one request, where it wants an answer. Throws ByteError for what does not parse. */
export function answerChannelRequest(payload: Buffer, context: RequestContext): void {
  const request = parseChannelRequest(payload);
  const channel = context.channel(request.id);
  // Late requests for a channel that is being closed have nobody to answer them.
  if (channel === null || channel.closing) return;
  const granted = ANSWERS.get(request.type)?.(channel, request, context) ?? false;
  if (!request.wantReply) return;
  context.send(granted ? encodeChannelSuccess(channel.peerId) : encodeChannelFailure(channel.peerId));
}

function setVariable(channel: Channel, { data }: ChannelRequest, { session }: RequestContext): boolean {
  const { name, value } = parseEnvironment(data);
  channel.environmentRequests += 1;
  const isAccepted =
    channel.environmentRequests <= MAX_VARIABLES &&
    acceptsVariable(session.settings.sftpAcceptEnv, name) &&
    hasRoomFor(session, name);
  if (!isAccepted) {
    session.sftpLog(`environment variable '${name}' prohibited by policy`);
    return false;
  }
  session.sftpLog(`'env' channel request: '${name}' = '${shortened(value)}'`);
  channel.environment.set(name, value);
  session.context.facts.environment.set(name, value);
  return true;
}

/**
 * Names clients have set, by session: each may be replaced, and no more than so many added. What the server or SetEnv has
 * put there stays: logs rely on it.
 */
const clientVariables = new WeakMap<SshSession, Set<string>>();

function hasRoomFor(session: SshSession, name: string): boolean {
  const names = clientVariables.get(session) ?? new Set<string>();
  clientVariables.set(session, names);
  const isTaken = session.context.facts.environment.has(name);
  if (!names.has(name) && (isTaken || names.size >= MAX_SESSION_VARIABLES)) return false;
  names.add(name);
  return true;
}

function shortened(text: string): string {
  return text.length > MAX_LOGGED ? `${text.slice(0, MAX_LOGGED)}...` : text;
}

function startSubsystem(channel: Channel, { data }: ChannelRequest, context: RequestContext): boolean {
  const name = parseCommand(data);
  context.session.sftpLog(`'subsystem' channel request for '${shortened(name)}' subsystem`);
  if (channel.handler !== null) return false;
  if (name !== 'sftp') {
    context.session.sftpLog(`subsystem '${shortened(name)}' unsupported`);
    return false;
  }
  channel.handler = context.services.openSftp(channel);
  return channel.handler !== null;
}

function startCommand(channel: Channel, { data }: ChannelRequest, context: RequestContext): boolean {
  const command = parseCommand(data);
  context.session.sftpLog(`'exec' channel request: command = '${shortened(command)}'`);
  if (channel.handler !== null) return false;
  channel.handler = context.services.exec(channel, command);
  return channel.handler !== null;
}
