/** What a listing leaves out: HideFiles, HideUser, HideGroup, HideNoAccess (core reference, section 4.5). */
import type { Stats } from 'node:fs';
import type { Principal } from '../../src/config/effective-config.ts';
import { applicableValues } from '../../src/config/name-expression.ts';
import type { Filter, Settings } from '../../src/config/server-config.ts';
import type { SessionIdentity } from './identity.ts';
import type { OwnerNames } from './types.ts';

/** Our temporaries; never listed, because they are no file yet. */
export const TEMPORARY_PREFIX = '.lockgate.';

/** The hiding rules of one directory, made once per listing. */
export interface Visibility {
  /** By name alone: spares the lstat of a hidden entry. */
  hidesName(name: string): boolean;
  hidesStats(stats: Stats): boolean;
}

export function createVisibility(
  settings: Settings,
  principal: Principal,
  identity: SessionIdentity,
  owners: OwnerNames,
): Visibility {
  const filter = hideFilesFor(settings, principal);
  const users = idRules(settings.hideUser, identity.uid, (name) => owners.uidOf(name));
  const groups = idRules(settings.hideGroup, identity.gid, (name) => owners.gidOf(name));
  const { hideNoAccess } = settings;
  return {
    hidesName: (name) =>
      name.startsWith(TEMPORARY_PREFIX) || (filter !== null && filter.pattern.test(name) !== filter.negate),
    hidesStats(stats) {
      if (users.some((rule) => (rule.id === stats.uid) !== rule.negate)) return true;
      if (groups.some((rule) => (rule.id === stats.gid) !== rule.negate)) return true;
      if (!hideNoAccess) return false;
      const rights = identity.rights(stats);
      return stats.isDirectory() ? !rights.execute : !rights.read;
    },
  };
}

/** The first HideFiles that is for this session decides, one that names it before a general one; `none` hides nothing. */
function hideFilesFor(settings: Settings, principal: Principal): Filter | null {
  return applicableValues(settings.hideFiles, principal)[0] ?? null;
}

interface IdRule {
  readonly id: number;
  readonly negate: boolean;
}

/** `~` is the session's own id, a leading `!` hides everybody else; an unknown name hides nobody. */
function idRules(names: readonly string[], own: number, lookUp: (name: string) => number | null): IdRule[] {
  const rules: IdRule[] = [];
  for (const text of names) {
    const negate = text.startsWith('!');
    const name = negate ? text.slice(1) : text;
    const id = name === '~' ? own : lookUp(name);
    if (id !== null) rules.push({ id, negate });
  }
  return rules;
}
