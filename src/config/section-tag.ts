/** The words of a section tag. */
import { ConfigError } from './config-error.ts';
import type { Word } from './lexer.ts';

/** The words between `<` or `</` and the closing `>`, which is the last unquoted character of the line. Throws ConfigError. */
export function tagWords(words: readonly Word[], opening: '<' | '</'): readonly Word[] {
  const inner = words.map((word) => ({ ...word }));
  const first = inner[0];
  if (first !== undefined) first.text = first.text.slice(opening.length);
  const last = inner.at(-1);
  if (last === undefined || last.quoted || !last.text.endsWith('>')) {
    throw new ConfigError(`missing '>' at the end of the section tag`);
  }
  last.text = last.text.slice(0, -1);
  const spelled = inner.filter((word) => word.quoted || word.text !== '');
  const stray = spelled.find((word) => !word.quoted && word.text.includes('><'));
  if (spelled[0] === undefined || stray !== undefined || /[<>]/.test(spelled[0].text)) {
    throw new ConfigError('a section tag stands on a line of its own');
  }
  return spelled;
}
