/**
 * POSIX extended regular expressions, with the Perl escapes that ProFTPD accepts where it is built with PCRE,
 * translated for JavaScript. What has no counterpart is refused with its name: a filter that silently matches
 * something else would be a hole.
 */
import { ConfigError } from './config-error.ts';

const CLASSES: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: ' \\t-\\r',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9A-Fa-f',
  cntrl: '\\x00-\\x1f\\x7f',
  print: '\\x20-\\x7e',
  graph: '\\x21-\\x7e',
  word: 'A-Za-z0-9_',
};

/** Escapes outside brackets whose JavaScript spelling differs. */
const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\b(?=\\w)',
  '>': '\\b(?<=\\w)',
  A: '^',
  z: '$',
  Z: '$',
  h: '[ \\t]',
  a: '\\x07',
  e: '\\x1b',
};
const SHARED_ESCAPES = 'dDsSwWbBnrtfv';
const SHARED_GROUPS = ['(?:', '(?=', '(?!', '(?<=', '(?<!', '(?i:'];
const QUANTIFIER = /^(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})/;

/**
 * Compiles a pattern; `ignoreCase` for the NC flag. A dot also matches a line end, as in POSIX, so that no file
 * name slips past a filter by containing one. Throws ConfigError (reason only) for what cannot be translated.
 */
export function compilePosixRegex(source: string, ignoreCase = false): RegExp {
  const inline = source.startsWith('(?i)');
  const body = inline ? source.slice(4) : source;
  const translated = new Translator(source, body).translate();
  try {
    return new RegExp(translated, ignoreCase || inline ? 'is' : 's');
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*\/[a-z]*: /s, '') : 'syntax error';
    throw new ConfigError(`'${source}' failed regex compilation: ${reason}`, { cause: error });
  }
}

class Translator {
  readonly #source: string;
  readonly #text: string;
  #index = 0;
  #output = '';
  /** True where a quantifier has something to repeat. */
  #hasAtom = false;

  constructor(source: string, text: string) {
    this.#source = source;
    this.#text = text;
  }

  translate(): string {
    while (this.#index < this.#text.length) this.#next();
    return this.#output;
  }

  #fail(reason: string): never {
    throw new ConfigError(`'${this.#source}' failed regex compilation: ${reason}`);
  }

  #emit(text: string, length: number, isAtom: boolean): void {
    this.#output += text;
    this.#index += length;
    this.#hasAtom = isAtom;
  }

  #next(): void {
    const rest = this.#text.slice(this.#index);
    const character = rest[0]!;
    if (character === '\\') return this.#escape(rest);
    if (character === '[') return this.#bracket(rest);
    if (character === '(') return this.#group(rest);
    const quantifier = QUANTIFIER.exec(rest);
    if (quantifier !== null) return this.#quantifier(quantifier[0], rest);
    if (character === '{' || character === '}' || character === ']')
      return this.#emit(`\\${character}`, 1, true);
    this.#emit(character, 1, character !== '|' && character !== '^');
  }

  #quantifier(text: string, rest: string): void {
    if (!this.#hasAtom) this.#fail('Invalid preceding regular expression');
    const lazy = rest[text.length] === '?' ? '?' : '';
    if (/^(?:[*+]|\{[\d,]+\})/.test(rest.slice(text.length + lazy.length))) {
      this.#fail(`'${rest.slice(0, text.length + 1)}' repeats a repetition, which is not supported`);
    }
    this.#emit(text.replace('{,', '{0,') + lazy, text.length + lazy.length, false);
  }

  #group(rest: string): void {
    if (rest[1] !== '?') return this.#emit('(', 1, false);
    const shared = SHARED_GROUPS.find((group) => rest.startsWith(group));
    if (shared === undefined) this.#fail(`group '${rest.slice(0, 4)}' is not supported`);
    this.#emit(shared, shared.length, false);
  }

  #escape(rest: string): void {
    const character = rest[1];
    if (character === undefined) this.#fail('Trailing backslash');
    const hex = /^\\x[0-9A-Fa-f]{2}/.exec(rest);
    if (hex !== null) return this.#emit(hex[0], 4, true);
    const differing = ESCAPES[character];
    if (differing !== undefined) return this.#emit(differing, 2, true);
    if (SHARED_ESCAPES.includes(character) || /[1-9]/.test(character)) {
      return this.#emit(`\\${character}`, 2, true);
    }
    if (/[A-Za-z0-9]/.test(character)) this.#fail(`escape '\\${character}' is not supported`);
    // An escaped ordinary character is itself; only those JavaScript knows as syntax keep their backslash.
    this.#emit(/[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character, 2, true);
  }

  /** IEEE 1003.1, section 9.3.5: a leading `]` is a member, and `[:alpha:]` names a class. */
  #bracket(rest: string): void {
    let index = 1;
    let output = '[';
    if (rest[index] === '^') {
      output += '^';
      index += 1;
    }
    for (let first = true; ; first = false) {
      const character = rest[index];
      if (character === undefined) this.#fail('brackets ([ ]) not balanced');
      if (character === ']' && !first) break;
      const member = this.#bracketMember(rest, index);
      output += member.text;
      index += member.length;
    }
    this.#emit(`${output}]`, index + 1, true);
  }

  #bracketMember(rest: string, index: number): { text: string; length: number } {
    const named = /^\[([:.=])([^\]]*?)\1\]/.exec(rest.slice(index));
    if (named !== null) {
      const [whole, kind, name] = named as unknown as [string, string, string];
      if (kind !== ':') this.#fail(`collating element '${whole}' is not supported`);
      const members = CLASSES[name];
      if (members === undefined) this.#fail(`Invalid character class name '${whole}'`);
      return { text: members, length: whole.length };
    }
    const character = rest[index]!;
    if (character === '\\') {
      const next = rest[index + 1] ?? '';
      // PCRE reads an escape here, plain POSIX a backslash: an escape only where it is a usual one.
      if (/[dDsSwWnrtfv\]\\^.[(){}*+?|/$-]/.test(next) && next !== '')
        return { text: `\\${next}`, length: 2 };
      return { text: '\\\\', length: 1 };
    }
    return { text: character === '[' || character === ']' ? `\\${character}` : character, length: 1 };
  }
}
