/** One configuration line through the directive tables, as the builder sends it. */
import { ConfigError } from '../../../src/config/config-error.ts';
import type { Context, ParseInput } from '../../../src/config/directive-row.ts';
import { findDirective, judgeDirective, type Judgement } from '../../../src/config/registry.ts';

/** `[line, value of its setting]`, or the whole settings for rows that set several. */
export type ValidCase = readonly [line: string, value: unknown];
/** `[line, message]` of the ConfigError. */
export type InvalidCase = readonly [line: string, message: string];

export function inputOf(line: string, context: Context = 'S'): ParseInput {
  const [name = '', ...args] = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((word) => word[1] ?? word[2] ?? '');
  return { name, args, location: { file: 'test.conf', line: 1 }, context };
}

/** Judges a line; a name that is not in the tables is a mistake of the test. */
export function judgeLine(line: string): Judgement {
  const input = inputOf(line);
  const row = findDirective(input.name);
  if (row === undefined) throw new Error(`no row for '${input.name}'`);
  return judgeDirective(row, input);
}

/** The value of the setting of a working directive, or all settings of one that sets several. */
export function valueOf(line: string): unknown {
  const row = findDirective(inputOf(line).name);
  const judgement = judgeLine(line);
  if (judgement.kind !== 'value') throw new Error(`'${line}' is ${judgement.kind}: ${judgement.because}`);
  return row?.status === 'works' ? judgement.settings[row.key] : judgement.settings;
}

/** The message with which a line is refused, or null when it is accepted. */
export function messageOf(line: string): string | null {
  try {
    judgeLine(line);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}
