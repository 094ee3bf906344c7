/** FTP replies (RFC 959, section 4.2): values in, bytes out. */

export interface Reply {
  readonly code: number;
  /** First line's text, or the only one. */
  readonly text: string;
  /** Lines between the first and the last; printed with one leading space. */
  readonly body?: readonly string[];
  /** Text of the last line of a multi-line reply (`211 End`). */
  readonly end?: string;
  /** After this reply the server closes the control connection. */
  readonly close?: boolean;
  /** Runs when the reply is on its way, before the next command is read (the TLS handshake after 234, CCC's downgrade). */
  readonly after?: () => Promise<void>;
}

export function reply(code: number, text: string): Reply {
  return { code, text };
}

const LINE_BREAKERS = /[\r\n\0]/;
const ALL_LINE_BREAKERS = /[\r\n\0]/g;

/**
 * The lines of one reply, CRLF-terminated. A reply with `body` or `end` has several lines; without `end` the first
 * text is repeated as the last one. A name that carries CR, LF or NUL cannot start a line of its own: they become `?`.
 */
export function encodeReply(value: Reply): string {
  const first = oneLine(value.text);
  if (value.body === undefined && value.end === undefined) return `${value.code} ${first}\r\n`;
  let lines = `${value.code}-${first}\r\n`;
  for (const line of value.body ?? []) lines += ` ${oneLine(line)}\r\n`;
  return `${lines}${value.code} ${oneLine(value.end ?? value.text)}\r\n`;
}

/**
 * The same reply with lines in front of its text, as Display files want: the first of them opens the reply, the old
 * text closes it. A reply that has several lines already keeps its last one.
 */
export function withLinesBefore(value: Reply, lines: readonly string[]): Reply {
  const [first, ...rest] = lines;
  if (first === undefined) return value;
  const own = value.end === undefined ? [] : [value.text, ...(value.body ?? [])];
  return { ...value, text: first, body: [...rest, ...own], end: value.end ?? value.text };
}

function oneLine(text: string): string {
  return LINE_BREAKERS.test(text) ? text.replace(ALL_LINE_BREAKERS, '?') : text;
}
