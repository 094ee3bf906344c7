/** User, group and class expressions of `<Limit>`, mod_ifsession and conditional directives (sections 4.1, 4.4). */
import { ConfigError } from './config-error.ts';
import { compilePosixRegex } from './posix-regex.ts';
import type { AppliesTo, Conditional, NameExpression } from './server-config.ts';

/** The part of a Principal that expressions look at. */
export interface NamedPrincipal {
  readonly user: string | null;
  readonly groups: readonly string[];
  readonly className: string | null;
}

/**
 * Parses `[AND|OR|regex] name,!name ...`. `defaultMode` is the operator where no word names one: OR for users and
 * classes, AND for groups. Throws ConfigError (reason only).
 */
export function parseNameExpression(args: readonly string[], defaultMode: 'and' | 'or'): NameExpression {
  const first = args[0]?.toLowerCase();
  const hasKeyword = args.length > 1 && (first === 'and' || first === 'or' || first === 'regex');
  const words = hasKeyword ? args.slice(1) : args;
  if (hasKeyword && first === 'regex') {
    if (words.length !== 1) throw new ConfigError('wrong number of parameters');
    return { mode: 'regex', pattern: compilePosixRegex(words[0] ?? '') };
  }
  const names = words.flatMap((word) => word.split(',')).map((name) => name.trim());
  const terms = names.filter((name) => name !== '').map(parseTerm);
  if (terms.length === 0) throw new ConfigError('missing parameters');
  const mode = hasKeyword && (first === 'and' || first === 'or') ? first : defaultMode;
  return { mode, terms };
}

function parseTerm(text: string): { name: string; negate: boolean } {
  const negate = text.startsWith('!');
  const name = negate ? text.slice(1) : text;
  if (name === '') throw new ConfigError(`invalid name '${text}'`);
  return { name, negate };
}

/** Evaluates an expression against the names somebody has (one user or class, several groups). `*` is any name. */
export function matchesNames(expression: NameExpression, names: readonly string[]): boolean {
  if (expression.mode === 'regex') return names.some((name) => expression.pattern.test(name));
  const holds = (term: { name: string; negate: boolean }): boolean =>
    (term.name === '*' ? names.length > 0 : names.includes(term.name)) !== term.negate;
  return expression.mode === 'and' ? expression.terms.every(holds) : expression.terms.some(holds);
}

/** An expression against the principal's user name; nobody matches before the name is known. */
export function matchesUser(expression: NameExpression, principal: NamedPrincipal): boolean {
  return principal.user !== null && matchesNames(expression, [principal.user]);
}

/** An expression against the principal's groups; groups are known only with the user. */
export function matchesGroups(expression: NameExpression, principal: NamedPrincipal): boolean {
  return principal.user !== null && matchesNames(expression, principal.groups);
}

/** An expression against the session's class; a session without a class matches only negated names. */
export function matchesClass(expression: NameExpression, principal: NamedPrincipal): boolean {
  return matchesNames(expression, principal.className === null ? [] : [principal.className]);
}

/** Whether a conditional value (`... user bob`, `... group staff`) is for this principal; no condition: everybody. */
export function appliesTo(condition: AppliesTo | undefined, principal: NamedPrincipal): boolean {
  if (condition === undefined) return true;
  switch (condition.kind) {
    case 'user':
      return matchesUser(condition.expression, principal);
    case 'group':
      return matchesGroups(condition.expression, principal);
    case 'class':
      return matchesClass(condition.expression, principal);
  }
}

/** The values for this principal: those that name its user, group or class before those for everybody. */
export function applicableValues<T>(values: readonly Conditional<T>[], principal: NamedPrincipal): T[] {
  const named = values.filter(
    (value) => value.appliesTo !== undefined && appliesTo(value.appliesTo, principal),
  );
  const general = values.filter((value) => value.appliesTo === undefined);
  return [...named, ...general].map(({ value }) => value);
}
