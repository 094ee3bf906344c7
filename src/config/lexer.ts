/** Lines and words of the configuration language (core reference, section 1). Pure: text in, values out. */

/** Bounds of one file; a text beyond them is refused, never cut. */
export const LEXER_LIMITS = {
  /** Characters of one file. */
  fileLength: 8 * 1024 * 1024,
  /** Characters of one line, its continuations included. */
  lineLength: 64 * 1024,
} as const;

/** One line with its continuations joined; `line` is the number, from 1, of its first physical line. */
export interface LogicalLine {
  readonly line: number;
  readonly text: string;
}

/** One word; a quoted word is taken literally: it is neither a comment nor the end of a section tag. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

export interface WordList {
  readonly words: readonly Word[];
  /** A `"` was opened and never closed: the word reached to the end of the line. */
  readonly unterminatedQuote: boolean;
}

/**
 * The lines that say something: blank lines and comment lines are left out, a `\` at the end of a line joins the
 * next one. A comment line ends where it ends: a `\` there must not swallow the directive below it.
 */
export function* logicalLines(text: string): Generator<LogicalLine> {
  const physical = (text.startsWith('\uFEFF') ? text.slice(1) : text).split(/\r\n|\n|\r/);
  for (let index = 0; index < physical.length; index += 1) {
    const line = index + 1;
    const first = physical[index] ?? '';
    if (/^\s*(#|$)/.test(first)) continue;
    const parts: string[] = [];
    let part = first;
    while (part.endsWith('\\') && index + 1 < physical.length) {
      parts.push(part.slice(0, -1));
      index += 1;
      part = physical[index] ?? '';
    }
    parts.push(part.endsWith('\\') ? part.slice(0, -1) : part);
    yield { line, text: parts.join('').trim() };
  }
}

/**
 * Splits a line into words: blanks separate, `"..."` groups, `\` escapes the next character inside quotes only,
 * and an unquoted `#` at the start of a word begins a comment.
 */
export function splitWords(line: string): WordList {
  const words: Word[] = [];
  let index = 0;
  while (index < line.length) {
    const character = line[index] ?? '';
    if (isBlank(character)) {
      index += 1;
    } else if (character === '#') {
      break;
    } else if (character === '"') {
      const quoted = readQuoted(line, index + 1);
      words.push({ text: quoted.text, quoted: true });
      if (!quoted.closed) return { words, unterminatedQuote: true };
      index = quoted.end;
    } else {
      const start = index;
      while (index < line.length && !isBlank(line[index] ?? '')) index += 1;
      words.push({ text: line.slice(start, index), quoted: false });
    }
  }
  return { words, unterminatedQuote: false };
}

/** Reads from behind an opening quote; `end` is the index behind the closing one. */
function readQuoted(line: string, start: number): { text: string; end: number; closed: boolean } {
  let text = '';
  for (let index = start; index < line.length; index += 1) {
    const character = line[index] ?? '';
    if (character === '"') return { text, end: index + 1, closed: true };
    if (character === '\\' && index + 1 < line.length) index += 1;
    text += line[index] ?? '';
  }
  return { text, end: line.length, closed: false };
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\v' || character === '\f';
}
