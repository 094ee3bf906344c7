/** SFTPDisplayBanner: a file shown before the first answer of user authentication (RFC 4252, section 5.4). */
import { displayHostFile } from '../../login/display-text.ts';
import type { UserauthHost } from './userauth.ts';
import { encodeBanner } from './wire/userauth-replies.ts';

/** The smallest payload every client must take is 32768 bytes (RFC 4253, section 6.1). */
const MAX_TEXT = 16 * 1024;

/** Sends the banner; without a readable file nothing but a line of SFTPLog. */
export async function sendBanner(host: UserauthHost): Promise<void> {
  const { context, config } = host;
  const { settings } = config;
  const path = settings.sftpDisplayBanner;
  if (path === null || !host.showsBanner) return;
  const lines = await displayHostFile({ context, settings, vfs: null }, path);
  if (lines === null) {
    host.sftpLog(`error opening SFTPDisplayBanner '${path}': it is not a readable file`);
    return;
  }
  if (lines.length === 0) return;
  host.send(encodeBanner(`${lines.join('\r\n').slice(0, MAX_TEXT)}\r\n`));
}
