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
