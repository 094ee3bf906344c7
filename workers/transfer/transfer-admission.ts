/** MaxTransfersPerHost and MaxTransfersPerUser over SSH: main counts, and is asked only where one of them is set. */
import type { LimitWithMessage, Settings } from '../../src/config/server-config.ts';
import type { SessionContext } from '../session/session-context.ts';

type TransferLimits = readonly (LimitWithMessage & { readonly commands: readonly string[] })[];
type TransferLimit = TransferLimits[number];

/** What identifies an SSH session: all of its channels count together. */
export interface CountedSession {
  readonly context: SessionContext;
}

/** Text for a client that has to wait. */
export interface TransferRefusal {
  readonly text: string;
}

/** Files a session has open. Main counts sessions that transfer: it hears of the first and of the last one's end. */
const openTransfers = new WeakMap<CountedSession, number>();
const counted = new WeakSet<CountedSession>();

/**
 * Counts one more file; `endTransfer` ends it unless it was refused.
 * @param settings in force for the file
 * @param command FTP's: RETR, STOR, APPE
 * @returns null: go on at once. A promise where main is asked; it gives null too, or why not
 */
export function admitTransfer(
  session: CountedSession,
  settings: Settings,
  command: string,
): Promise<TransferRefusal | null> | null {
  const host = limitFor(settings.maxTransfersPerHost, command);
  const user = limitFor(settings.maxTransfersPerUser, command);
  openTransfers.set(session, (openTransfers.get(session) ?? 0) + 1);
  if (host === null && user === null) return null;
  return askMain(session, command, host, user).then(
    (refusal) => {
      if (refusal !== null) endTransfer(session);
      return refusal;
    },
    (error: unknown) => {
      endTransfer(session);
      throw error;
    },
  );
}

async function askMain(
  session: CountedSession,
  command: string,
  host: TransferLimit | null,
  user: TransferLimit | null,
): Promise<TransferRefusal | null> {
  const answer = await session.context.services.beginTransfer({
    command,
    perHost: host?.count ?? 0,
    perUser: user?.count ?? 0,
    ...(host === null ? {} : { hostCommands: host.commands }),
    ...(user === null ? {} : { userCommands: user.commands }),
  });
  if (answer === 'ok') {
    counted.add(session);
    return null;
  }
  const limit = answer === 'host-limit' ? host : user;
  const count = String(limit?.count ?? 0);
  const whose = answer === 'host-limit' ? 'your host' : 'this user';
  const text =
    limit?.message?.replaceAll('%m', count) ??
    `Sorry, the maximum number of data transfers (${count}) from ${whose} are currently being used.`;
  return { text };
}

/** One file less. */
export function endTransfer(session: CountedSession): void {
  const left = (openTransfers.get(session) ?? 1) - 1;
  openTransfers.set(session, left);
  if (left > 0 || !counted.delete(session)) return;
  session.context.services.endTransfer().catch((error: unknown) => {
    // A main that is gone ends the session by other means.
    const reason = error instanceof Error ? error.name : 'error';
    session.context.log.system('warn', `unable to end a transfer with the main actor: ${reason}`);
  });
}

function limitFor(limits: TransferLimits, command: string): TransferLimit | null {
  return limits.find((limit) => limit.count > 0 && limit.commands.includes(command)) ?? null;
}
