/** Who is on the other side (RFC 4253, section 4.2): the client's line, read and judged. */
import type { Settings } from '../../../src/config/server-config.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import { parseClientVersion, scanVersionLine, type ClientVersion } from '../wire/version-line.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface ReadVersion {
  readonly version: ClientVersion;
  /** Of the line; packets follow. */
  readonly bytes: number;
}

/**
 * Null: the line is not whole yet. Throws ProtocolViolation for one that is refused.
 * @param tell - sends a line to a client that will not be served: only to what speaks SSH at all
 */
export function readVersion(
  bytes: Buffer,
  settings: Settings,
  remoteAddress: string,
  tell: (line: string) => void,
): ReadVersion | null {
  const scan = scanVersionLine(bytes);
  if (scan.kind === 'incomplete') return null;
  if (scan.kind === 'line') {
    const version = parseClientVersion(scan.line, settings.sftpOptions.includes('OldProtocolCompat'));
    if (version !== null) return { version, bytes: scan.bytes };
  }
  const text = scan.kind === 'line' ? scan.line : scan.text;
  // A browser or a scanner for TLS gets no answer; an SSH client of another version an explanation.
  if (text.startsWith('SSH-')) tell('Protocol mismatch.');
  throw new ProtocolViolation('Protocol mismatch.', {
    code: DisconnectCode.versionNotSupported,
    logText: `Bad protocol version '${text.slice(0, 100)}' from ${remoteAddress}`,
  });
}
