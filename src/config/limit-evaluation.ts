/** Evaluation of `<Limit>` sections (core reference, section 4.1). Pure: sections and a principal in, a decision out. */
import { addressListMatches } from './address-pattern.ts';
import type { Principal } from './effective-config.ts';
import { matchesClass, matchesGroups, matchesUser } from './name-expression.ts';
import type { LimitSection } from './server-config.ts';

/** A command as `<Limit>` sees it; names in upper case. */
export interface LimitedCommand {
  /** For example `STOR` or `SITE_CHMOD`. */
  readonly verb: string;
  /** Limit groups it belongs to, for example `['WRITE']`. */
  readonly groups: readonly string[];
  /** Whether `<Limit ALL>` covers it. */
  readonly inAll: boolean;
  /** What AllowFilter and DenyFilter inside a section look at. */
  readonly argument?: string;
}

/** `none`: no section said anything, which means allowed. */
export interface LimitDecision {
  readonly decision: 'allow' | 'deny' | 'none';
  /** IgnoreHidden is on in a section for this command: hidden files are to look absent. */
  readonly ignoreHidden: boolean;
}

/** Innermost level first, as in PathConfig.limitLevels. */
export type LimitLevels = readonly (readonly LimitSection[])[];

type SectionResult = 'allow' | 'deny' | 'implicit-allow' | 'implicit-deny';

/**
 * Searches the levels from the inside out; at each level sections that name the command come before those that
 * name its group, and those before ALL. A match, or the implicit denial of `Order deny,allow`, ends the search;
 * a section that only fails to object does not, so a wider section can still deny.
 */
export function evaluateLimits(
  levels: LimitLevels,
  command: LimitedCommand,
  principal: Principal,
): LimitDecision {
  let ignoreHidden = false;
  for (const level of levels) {
    for (const section of sectionsFor(level, command)) {
      ignoreHidden ||= section.ignoreHidden;
      const result = evaluateSection(section, command.argument, principal);
      if (result === 'implicit-allow') continue;
      return { decision: result === 'allow' ? 'allow' : 'deny', ignoreHidden };
    }
  }
  return { decision: 'none', ignoreHidden };
}

/** `<Limit LOGIN>`: every section that applies, at every level, must allow. */
export function loginAllowed(levels: LimitLevels, principal: Principal): boolean {
  return levels.every((level) =>
    level
      .filter((section) => section.commands.includes('LOGIN'))
      .map((section) => evaluateSection(section, undefined, principal))
      .every((result) => result === 'allow' || result === 'implicit-allow'),
  );
}

/** RFC 775's names of commands that do the same: who forbids MKD means the making of directories. */
const PLAIN_NAMES: Readonly<Record<string, string>> = {
  XCUP: 'CDUP',
  XCWD: 'CWD',
  XMKD: 'MKD',
  XPWD: 'PWD',
  XRMD: 'RMD',
};

/** Sections of one level that are about the command, best match first, file order within a rank. */
function sectionsFor(level: readonly LimitSection[], command: LimitedCommand): readonly LimitSection[] {
  if (level.length === 0) return level;
  const plain = PLAIN_NAMES[command.verb] ?? command.verb;
  const named = level.filter(({ commands }) => commands.includes(command.verb) || commands.includes(plain));
  const grouped = level.filter(
    (section) => !named.includes(section) && command.groups.some((group) => section.commands.includes(group)),
  );
  if (!command.inAll) return [...named, ...grouped];
  const all = level.filter(
    (section) => section.commands.includes('ALL') && !named.includes(section) && !grouped.includes(section),
  );
  return [...named, ...grouped, ...all];
}

function evaluateSection(
  section: LimitSection,
  argument: string | undefined,
  principal: Principal,
): SectionResult {
  if (section.order === 'allow,deny') {
    if (allowRulesMatch(section, argument, principal)) return 'allow';
    return denyRulesMatch(section, argument, principal) ? 'deny' : 'implicit-allow';
  }
  if (denyRulesMatch(section, argument, principal)) return 'deny';
  return allowRulesMatch(section, argument, principal) ? 'allow' : 'implicit-deny';
}

function allowRulesMatch(section: LimitSection, argument: string | undefined, principal: Principal): boolean {
  return (
    section.allowUser.some((expression) => matchesUser(expression, principal)) ||
    section.allowGroup.some((expression) => matchesGroups(expression, principal)) ||
    section.allowClass.some((expression) => matchesClass(expression, principal)) ||
    addressListMatches(section.allowFrom, principal) ||
    (argument !== undefined && section.allowFilter !== undefined && section.allowFilter.test(argument)) ||
    section.allowAll
  );
}

function denyRulesMatch(section: LimitSection, argument: string | undefined, principal: Principal): boolean {
  return (
    section.denyAll ||
    section.denyUser.some((expression) => matchesUser(expression, principal)) ||
    section.denyGroup.some((expression) => matchesGroups(expression, principal)) ||
    section.denyClass.some((expression) => matchesClass(expression, principal)) ||
    addressListMatches(section.denyFrom, principal) ||
    (argument !== undefined && section.denyFilter !== undefined && section.denyFilter.test(argument))
  );
}
