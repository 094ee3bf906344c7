/** MaxTransfersPerHost and MaxTransfersPerUser: main counts, and is asked only where one of them is set. */
import type { LimitWithMessage, Settings } from '../../src/config/server-config.ts';
import type { SshSession } from '../ssh/ssh-types.ts';
import type { SftpService } from './sftp-types.ts';
import { StatusError } from './status-error.ts';
import { StatusCode } from './wire/status.ts';

type TransferLimits = readonly (LimitWithMessage & { readonly commands: readonly string[] })[];

/** Files a session has open. Main counts sessions that transfer: it hears of the first and of the last one's end. */
const openTransfers = new WeakMap<SshSession, number>();
const counted = new WeakSet<SshSession>();

/** Counts one more open file. Null: go on at once; the promise rejects with a StatusError where there are too many. */
export function admitTransfer(
  service: SftpService,
  settings: Settings,
  command: string,
): Promise<void> | null {
  const { session } = service;
  const host = limitFor(settings.maxTransfersPerHost, command);
  const user = limitFor(settings.maxTransfersPerUser, command);
  openTransfers.set(session, (openTransfers.get(session) ?? 0) + 1);
  if (host === null && user === null) return null;
  return askMain(session, command, host, user).catch((error: unknown) => {
    endTransfer(session);
    throw error;
  });
}

async function askMain(
  session: SshSession,
  command: string,
  host: TransferLimits[number] | null,
  user: TransferLimits[number] | null,
): Promise<void> {
  const answer = await session.context.services.beginTransfer({
    command,
    perHost: host?.count ?? 0,
    perUser: user?.count ?? 0,
    ...(host === null ? {} : { hostCommands: host.commands }),
    ...(user === null ? {} : { userCommands: user.commands }),
  });
  if (answer === 'ok') {
    counted.add(session);
    return;
  }
  const limit = answer === 'host-limit' ? host : user;
  const count = String(limit?.count ?? 0);
  const whose = answer === 'host-limit' ? 'your host' : 'this user';
  const text =
    limit?.message?.replaceAll('%m', count) ??
    `Sorry, the maximum number of data transfers (${count}) from ${whose} are currently being used.`;
  throw new StatusError(StatusCode.PERMISSION_DENIED, text);
}

/** One file less. */
export function endTransfer(session: SshSession): void {
  const left = (openTransfers.get(session) ?? 1) - 1;
  openTransfers.set(session, left);
  if (left > 0 || !counted.delete(session)) return;
  session.context.services.endTransfer().catch((error: unknown) => {
    // A main that is gone ends the session by other means.
    const reason = error instanceof Error ? error.name : 'error';
    session.context.log.system('warn', `unable to end a transfer with the main actor: ${reason}`);
  });
}

function limitFor(limits: TransferLimits, command: string): TransferLimits[number] | null {
  return limits.find((limit) => limit.count > 0 && limit.commands.includes(command)) ?? null;
}
