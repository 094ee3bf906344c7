/** Pass phrases of encrypted keys from the terminal a server is started at (ftps reference, section 11). */
import { isatty } from 'node:tty';
import type { AskPassPhrase } from '../main/prepare-config.ts';
import { askHidden, PromptError } from '../util/prompt.ts';

const STANDARD_INPUT = 0;

/** Null where standard input is no terminal. `onQuestion` runs before each question. */
export function terminalPrompt(onQuestion: () => void = () => undefined): AskPassPhrase | null {
  if (!isatty(STANDARD_INPUT)) return null;
  return async (text) => {
    onQuestion();
    try {
      return await askHidden(process.stdin, process.stderr, text);
    } catch (error) {
      // Ctrl-C, Ctrl-D: the operator gave up.
      if (error instanceof PromptError) return null;
      throw error;
    }
  };
}
