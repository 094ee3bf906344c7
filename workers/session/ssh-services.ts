/** What runs on the channels of an SSH session: the one place that knows both the connection and its services. */
import { displaySessionFile } from '../login/display-text.ts';
import { createDate, isDateCommand } from '../scp/date-service.ts';
import { createScp, isScpCommand } from '../scp/scp-service.ts';
import { openSftp } from '../sftp/sftp-channel.ts';
import type { ChannelServices, SshChannel } from '../ssh/ssh-channel.ts';
import { currentSession } from './session-scope.ts';

/** DisplayLogin goes to the user's terminal when SFTP starts (sftp-directives, SFTPDisplayBanner). */
async function welcome(channel: SshChannel): Promise<void> {
  const { context, settings, vfs, account } = channel.session;
  if (settings.displayLogin === null) return;
  const lines = await displaySessionFile({ context, settings, vfs }, account.home, settings.displayLogin);
  if (lines !== null) channel.writeError(lines.map((line) => `${line}\n`).join(''));
}

/** Services of the session whose code runs now; an error of theirs that nobody caught ends it. */
export function sshServices(): ChannelServices {
  const scope = currentSession();
  const fail = (error: unknown): void => {
    if (scope === null) throw error;
    scope.fail(error);
  };
  return {
    openSftp: (channel) => {
      const handler = openSftp(channel);
      // A turn later: the client hears of the request's success first.
      if (handler !== null) setImmediate(() => welcome(channel).catch(fail));
      return handler;
    },
    exec: (channel, command) => {
      if (isScpCommand(command)) return createScp(channel, command, fail);
      if (isDateCommand(command)) return createDate(channel, command);
      channel.session.sftpLog(`unsupported exec command '${command}'`);
      return null;
    },
  };
}
