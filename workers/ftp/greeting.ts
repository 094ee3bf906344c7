/** The first reply (core reference, sections 8 and 10.1): ServerIdent, DeferWelcome, DisplayConnect. */
import { serverHostOf } from '../../src/log/session-log-writer.ts';
import { PROFTPD_VERSION } from '../../src/version.ts';
import { displayHostFile } from './display-file.ts';
import type { FtpSession } from './session-types.ts';
import { reply, withLinesBefore, type Reply } from './wire/reply.ts';

/** `220 ...` with the lines of DisplayConnect in front of it. */
export async function greeting(session: FtpSession): Promise<Reply> {
  const { displayConnect } = session.settings;
  const banner = reply(220, bannerText(session));
  if (displayConnect === null) return banner;
  return withLinesBefore(banner, (await displayHostFile(session, displayConnect)) ?? []);
}

function bannerText(session: FtpSession): string {
  const { serverIdent, serverName, deferWelcome } = session.settings;
  const { localAddress } = session.context.facts;
  if (!serverIdent.enabled) return `${localAddress} FTP server ready`;
  if (serverIdent.text !== undefined) {
    return expandIdent(serverIdent.text, localAddress, serverName, serverHostOf(session.config));
  }
  return deferWelcome ? 'ProFTPD Server ready.' : `ProFTPD Server (${serverName}) [${localAddress}]`;
}

function expandIdent(text: string, address: string, serverName: string, serverHost: string): string {
  return text.replace(/%(?:\{version\}|[LVv])/g, (variable) => {
    switch (variable) {
      case '%L':
        return address;
      case '%V':
        return serverHost;
      case '%v':
        return serverName;
      default:
        return PROFTPD_VERSION;
    }
  });
}
