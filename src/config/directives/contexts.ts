/** Sets of contexts that many rows share, and helpers for rows that have no value of their own. */
import type {
  BuilderRow,
  Context,
  DirectiveRow,
  NoEffectRow,
  ParseInput,
  RefusedRow,
} from '../directive-row.ts';
import { booleanOrNull } from '../values.ts';

export const S: readonly Context[] = ['S'];
export const SG: readonly Context[] = ['S', 'G'];
export const SV: readonly Context[] = ['S', 'V'];
export const SVG: readonly Context[] = ['S', 'V', 'G'];
export const SVGA: readonly Context[] = ['S', 'V', 'G', 'A'];
export const SVGAD: readonly Context[] = ['S', 'V', 'G', 'A', 'D'];
export const SVGADf: readonly Context[] = ['S', 'V', 'G', 'A', 'D', 'f'];
export const ADf: readonly Context[] = ['A', 'D', 'f'];
export const LIMIT: readonly Context[] = ['L'];
export const ANYWHERE: readonly Context[] = ['S', 'V', 'G', 'A', 'D', 'L', 'C', 'f'];

/** A row the grammar interprets itself; its words are checked there. */
export function grammar(row: Omit<BuilderRow, 'status' | 'parse'>): DirectiveRow {
  return { status: 'builder', parse: () => ({}), ...row };
}

/** A row whose parser returns several settings, or one that another row owns. */
export function several(row: Omit<BuilderRow, 'status'>): DirectiveRow {
  return { status: 'builder', ...row };
}

export function noEffect(row: Omit<NoEffectRow, 'status'>): DirectiveRow {
  return { status: 'no-effect', ...row };
}

export function refused(row: Omit<RefusedRow, 'status'>): DirectiveRow {
  return { status: 'refused', ...row };
}

/** What a family of rows has in common. */
export interface Family {
  readonly module: string;
  readonly contexts: readonly Context[];
}

/** The switch of something this server does not have: off asks for nothing, on is refused. */
export function absentEngine(
  family: Family,
  name: string,
  defaultText: string,
  because: string,
): DirectiveRow {
  return refused({
    ...family,
    name,
    syntax: `${name} on|off`,
    defaultText,
    because,
    acceptsWhen: (input) => (isOff(input) ? `off already: ${because}` : null),
  });
}

/** Directives that only tune an engine which is off or refused here. */
export function companions(
  family: Family,
  engine: string,
  names: readonly string[],
): readonly DirectiveRow[] {
  return names.map((name) =>
    noEffect({
      ...family,
      name,
      syntax: `${name} ...`,
      defaultText: 'none',
      because: `only used by ${engine}, which this server does not have`,
    }),
  );
}

/** Directives refused for one common reason. */
export function refusedNames(
  family: Family,
  because: string,
  names: readonly string[],
): readonly DirectiveRow[] {
  return names.map((name) =>
    refused({ ...family, name, syntax: `${name} ...`, defaultText: 'none', because }),
  );
}

/** True when the directive's only word is a false Boolean or `none`. */
export function isOff(input: ParseInput): boolean {
  const word = input.args.length === 1 ? input.args[0]! : '';
  return booleanOrNull(word) === false || word.toLowerCase() === 'none';
}
