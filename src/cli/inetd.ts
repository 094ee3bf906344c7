/** `ServerType inetd`: one session on descriptor 0, where inetd, xinetd or a systemd socket unit put the connection. */
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { ConfigError } from '../config/config-error.ts';
import { openSyslog, sendSyslog } from '../log/syslog.ts';
import { pointToNull } from './daemon-descriptors.ts';

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

/** Documented behaviour of net.Socket, missing from its types: nothing is read before the session actor does. */
interface PausedSocketOptions {
  readonly fd: number;
  readonly pauseOnCreate: boolean;
}

/** The client's connection, untouched. Throws ConfigError when descriptor 0 is none. */
export function inheritedConnection(): Socket {
  const refused = (): ConfigError =>
    new ConfigError('standard input is no connection; inetd has to start this server', {
      directive: 'ServerType',
    });
  if (!fstatSync(STANDARD_INPUT).isSocket()) throw refused();
  const options: PausedSocketOptions = { fd: STANDARD_INPUT, pauseOnCreate: true };
  const socket = new Socket(options);
  if (socket.remoteAddress === undefined) throw refused();
  return socket;
}

/** True when standard error is the client's connection, as inetd gives it: what is printed there, the client reads. */
export function clientReadsErrors(): boolean {
  const [input, error] = [fstatSync(STANDARD_INPUT), fstatSync(STANDARD_ERROR)];
  return input.isSocket() && error.isSocket() && input.ino === error.ino;
}

/**
 * True when sshd started this program for a `Subsystem` line or a command without terminal: then standard input and
 * output are one local socket. There is no connection to serve there, and the user has logged in already.
 */
export function isSshdSubsystem(environment: NodeJS.ProcessEnv): boolean {
  if (environment['SSH_CONNECTION'] === undefined) return false;
  const [input, output] = [fstatSync(STANDARD_INPUT), fstatSync(STANDARD_OUTPUT)];
  return input.isSocket() && output.isSocket() && input.ino === output.ino;
}

/** What the operator, and the user who wanted files, read then. */
export const SSHD_SUBSYSTEM_REFUSAL =
  'lockgate: this server cannot be a Subsystem of sshd: it has no listening socket and no user context there.\n' +
  '          Keep sftp-server for sshd, and let SFTPEngine on serve a port of its own; to start from a remote\n' +
  '          shell without terminal, name the configuration: lockgate -c FILE\n';

/** Standard output and error lead nowhere from now on. */
export async function hideOutputFromClient(): Promise<void> {
  await pointToNull([1, STANDARD_ERROR]);
  await openSyslog();
}

/** A failed start, where no terminal and no log can take it. */
export function reportToSyslog(text: string): void {
  sendSyslog('DAEMON', 'error', `lockgate: ${text}`);
}
