/**
 * The `scp` command a client asks to have executed. No shell runs here: words are taken apart as a shell would quote
 * them, and nothing is expanded (sftp-protocol reference, section 14).
 */

export interface ScpCommand {
  /** `-t`: the client sends, this side is the sink; `-f`: this side is the source. */
  readonly role: 'sink' | 'source';
  readonly recursive: boolean;
  /** `-p`: times travel along. */
  readonly preservesTimes: boolean;
  /** `-d`: the target has to be a directory. */
  readonly targetIsDirectory: boolean;
  readonly path: string;
  /** Option letters without a meaning here, for the log. */
  readonly unknownOptions: string;
}

export type ScpCommandLine =
  { readonly ok: true; readonly command: ScpCommand } | { readonly ok: false; readonly reason: string };

/** Paths and options together; no client needs more. */
const MAX_COMMAND_LENGTH = 8192;

/** True for `scp ...` and `/usr/bin/scp ...`. */
export function isScpCommand(text: string): boolean {
  return /^(?:[^\s'"\\]*\/)?scp(?:\s|$)/.test(text);
}

/** Reads `scp [-t|-f] [-prdv] [--] PATH`; `text` is one that `isScpCommand` knows. */
export function parseScpCommand(text: string): ScpCommandLine {
  if (text.length > MAX_COMMAND_LENGTH) return refused('command line too long');
  if (text.includes('\0')) return refused('command line contains a NUL byte');
  const words = shellWords(text);
  if (words === null) return refused('unbalanced quotes');
  let index = 1;
  let letters = '';
  for (; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === '--') {
      index += 1;
      break;
    }
    if (!/^-[A-Za-z0-9]+$/.test(word)) break;
    letters += word.slice(1);
  }
  const sink = letters.includes('t');
  if (sink === letters.includes('f')) return refused('neither -t nor -f, or both');
  // The original joins what is left: an unquoted name with spaces stays one name.
  const path = words.slice(index).join(' ');
  return {
    ok: true,
    command: {
      role: sink ? 'sink' : 'source',
      recursive: letters.includes('r'),
      preservesTimes: letters.includes('p'),
      targetIsDirectory: letters.includes('d'),
      path: path === '' ? '.' : path,
      unknownOptions: letters.replace(/[tfrpdvq]/g, ''),
    },
  };
}

function refused(reason: string): ScpCommandLine {
  return { ok: false, reason };
}

/** Words as a POSIX shell quotes them (XCU, section 2.2), without any expansion; null for an open quote. */
function shellWords(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end === -1) return null;
      word = (word ?? '') + text.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const quoted = doubleQuoted(text, at + 1);
      if (quoted === null) return null;
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else if (character === '\\' && at + 1 < text.length) {
      at += 1;
      word = (word ?? '') + text[at]!;
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

/** From behind a double quote to the closing one; a backslash protects `"`, `\`, `$` and backquote only. */
function doubleQuoted(text: string, from: number): { readonly text: string; readonly end: number } | null {
  let result = '';
  for (let at = from; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '"') return { text: result, end: at };
    if (character === '\\' && /["\\$`]/.test(text[at + 1] ?? '')) at += 1;
    result += text[at]!;
  }
  return null;
}
