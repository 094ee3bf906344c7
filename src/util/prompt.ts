/** Asking for a password: without echo from a terminal, one line from anything else. */
import { StringDecoder } from 'node:string_decoder';
import type { Readable, Writable } from 'node:stream';

/** The part of process.stdin that matters. */
export type PromptInput = Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };

/** The password could not be read; the message is for the operator. */
export class PromptError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PromptError';
  }
}

const MAX_LINE_CHARACTERS = 4096;
const END_OF_TRANSMISSION = '\x04';
const INTERRUPT = '\x03';

/**
 * Reads a new password: from a terminal twice without echo, otherwise the first line of the input.
 * @throws PromptError on end of input, Ctrl-C, two different entries, or an overlong line
 */
export async function readNewPassword(input: PromptInput, output: Writable, label: string): Promise<string> {
  if (input.isTTY !== true) return readLine(input, null);
  const first = await askHidden(input, output, `${label}: `);
  const second = await askHidden(input, output, `${label} (again): `);
  if (first !== second) throw new PromptError('the two passwords differ');
  return first;
}

/**
 * One line from a terminal, typed without echo.
 * @throws PromptError on end of input, Ctrl-C, or an overlong line
 */
export async function askHidden(input: PromptInput, output: Writable, question: string): Promise<string> {
  // Echo is off before the question shows: whoever answers it at once must not be echoed either.
  input.setRawMode?.(true);
  try {
    output.write(question);
    return await readLine(input, output);
  } finally {
    input.setRawMode?.(false);
    output.write('\n');
  }
}

/** @param terminal where it is set, the input is a terminal in raw mode: editing keys are ours to handle */
function readLine(input: PromptInput, terminal: Writable | null): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let line: string[] = [];

    const finish = (outcome: string | PromptError): void => {
      input.off('data', onData);
      input.off('end', onEnd);
      input.off('error', onError);
      input.pause();
      if (typeof outcome === 'string') resolve(outcome);
      else reject(outcome);
    };
    const onData = (chunk: Buffer | string): void => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(chunk);
      for (const character of text) {
        if (character === '\n' || (terminal !== null && character === '\r')) {
          return finish(withoutCarriageReturn(line.join('')));
        }
        if (terminal !== null && character === INTERRUPT) return finish(new PromptError('interrupted'));
        if (terminal !== null && character === END_OF_TRANSMISSION)
          return finish(new PromptError('no password given'));
        if (terminal !== null && (character === '\x7f' || character === '\b')) line.pop();
        else if (terminal !== null && character === '\x15') line = [];
        else line.push(character);
        if (line.length > MAX_LINE_CHARACTERS) return finish(new PromptError('the line is too long'));
      }
    };
    const onEnd = (): void => {
      const rest = line.join('') + decoder.end();
      finish(rest === '' ? new PromptError('no password given') : withoutCarriageReturn(rest));
    };
    const onError = (): void => finish(new PromptError('the input could not be read'));

    input.on('data', onData);
    input.on('end', onEnd);
    input.on('error', onError);
    input.resume();
  });
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
