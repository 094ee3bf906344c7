/** The identification line each side sends first (RFC 4253, section 4.2): `SSH-2.0-software[ SP comments] CR LF`. */

/** With CR LF. */
export const MAX_VERSION_LINE = 255;

export interface ClientVersion {
  /** V_C of the exchange hash: the line as received, without its line end. */
  readonly line: string;
  readonly protocol: '2.0' | '1.99';
  /** What follows `SSH-2.0-`, cut at the first space. */
  readonly software: string;
}

export type VersionScan =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'line'; readonly line: string; readonly bytes: number }
  /** Not the beginning of an SSH client: too long, or bytes no version line has. `text` is what there was, for the log. */
  | { readonly kind: 'invalid'; readonly text: string };

/**
 * Finds the line at the start of `bytes`. A client may send nothing before it, so the first line is the one; a bare LF
 * ends it too. Bytes behind it are packets already.
 */
export function scanVersionLine(bytes: Buffer): VersionScan {
  const searched = Math.min(bytes.length, MAX_VERSION_LINE);
  for (let at = 0; at < searched; at += 1) {
    const byte = bytes[at]!;
    if (byte === 0x0a) {
      const end = at > 0 && bytes[at - 1] === 0x0d ? at - 1 : at;
      return { kind: 'line', line: bytes.toString('latin1', 0, end), bytes: at + 1 };
    }
    const isLineEnd = byte === 0x0d && (at + 1 === bytes.length || bytes[at + 1] === 0x0a);
    if (!isLineEnd && (byte < 0x20 || byte > 0x7e)) return invalid(bytes, searched);
  }
  return searched === MAX_VERSION_LINE ? invalid(bytes, searched) : { kind: 'incomplete' };
}

function invalid(bytes: Buffer, length: number): VersionScan {
  const text = bytes.toString('latin1', 0, Math.min(length, 100));
  return { kind: 'invalid', text: text.split(/[\r\n]/, 1)[0]! };
}

/** Null where the line is not of protocol 2 (or, with OldProtocolCompat, 1.99), or names no software. */
export function parseClientVersion(line: string, allowOldProtocol: boolean): ClientVersion | null {
  const match = /^SSH-(2\.0|1\.99)-([^ ]+)(?: .*)?$/.exec(line);
  if (match === null) return null;
  const protocol = match[1] as ClientVersion['protocol'];
  if (protocol === '1.99' && !allowOldProtocol) return null;
  return { line, protocol, software: match[2]! };
}
