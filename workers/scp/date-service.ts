/** `date` and `date -u` as exec requests: mod_sftp answers them for clients that measure the clock's difference. */
import type { ChannelHandler, SshChannel } from '../ssh/ssh-channel.ts';

/** True for `date` and `date -u`: `date -s` sets clocks elsewhere. */
export function isDateCommand(command: string): boolean {
  return /^\s*date(?:\s+-u)?\s*$/.test(command);
}

/** Answers a command that `isDateCommand` knows; null where `Protocols` does not name date (logged). */
export function createDate(channel: SshChannel, command: string): ChannelHandler | null {
  const { session } = channel;
  const { protocols } = session.settings;
  if (protocols !== null && !protocols.some((name) => name.toLowerCase() === 'date')) {
    session.sftpLog("'date' exec request denied by Protocols config");
    return null;
  }
  const text = dateLine(new Date(), command.includes('-u'));
  // A turn later: the client hears of the request's success first.
  setImmediate(() => {
    if (closed) return;
    channel.write(Buffer.from(text));
    channel.end(0);
  });
  let closed = false;
  return {
    data: (chunk) => channel.consumed(chunk.length),
    eof: () => undefined,
    writable: () => undefined,
    closed: () => {
      closed = true;
    },
  };
}

/** `Fri Nov 20 12:36:05 UTC 2026`, as date(1) prints it in the C locale. */
function dateLine(now: Date, utc: boolean): string {
  const timeZone = utc ? { timeZone: 'UTC' } : {};
  const part = (options: Intl.DateTimeFormatOptions, type: Intl.DateTimeFormatPartTypes): string =>
    new Intl.DateTimeFormat('en-US', { ...options, ...timeZone })
      .formatToParts(now)
      .find((one) => one.type === type)?.value ?? '';
  const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', ...timeZone }).format(now);
  const zone = utc ? 'UTC' : part({ timeZoneName: 'short' }, 'timeZoneName');
  const day = part({ day: 'numeric' }, 'day').padStart(2, ' ');
  const weekday = part({ weekday: 'short' }, 'weekday');
  const month = part({ month: 'short' }, 'month');
  return `${weekday} ${month} ${day} ${clock} ${zone} ${part({ year: 'numeric' }, 'year')}\n`;
}
