/** Command + path's configuration -> may it run? The only reader of `<Limit>` on the session's side for files. */
import type { PathConfig, Principal } from '../../src/config/effective-config.ts';
import { evaluateLimits, type LimitedCommand } from '../../src/config/limit-evaluation.ts';
import { inLimitAll, limitGroupsOf } from '../../src/config/limit-groups.ts';

export interface Permission {
  readonly allowed: boolean;
  /** `IgnoreHidden on`: files hidden from listings must look absent to this command. */
  readonly ignoreHidden: boolean;
}

const openDoor: Permission = { allowed: true, ignoreHidden: false };

/**
 * SITE commands that change something. The documented groups leave them out, but `<Limit WRITE> DenyAll` is how
 * people write a read-only site, and a read-only site whose modes can be changed is none.
 */
const writingSiteCommands = new Set([
  'SITE_CHMOD',
  'SITE_CHGRP',
  'SITE_COPY',
  'SITE_MKDIR',
  'SITE_RMDIR',
  'SITE_SYMLINK',
  'SITE_UTIME',
]);

const known = new Map<string, Pick<LimitedCommand, 'groups' | 'inAll'>>();

/** Verbs come from the tables of the protocols; the bound only holds a mistake in check. */
const KNOWN_LIMIT = 256;

function limitedCommand(verb: string): Pick<LimitedCommand, 'groups' | 'inAll'> {
  const found = known.get(verb);
  if (found !== undefined) return found;
  const groups = writingSiteCommands.has(verb) ? ['WRITE'] : limitGroupsOf(verb);
  const command = { groups, inAll: inLimitAll(verb) };
  if (known.size < KNOWN_LIMIT) known.set(verb, command);
  return command;
}

/**
 * Asks the `<Limit>` sections of one path (core reference, section 4.1).
 * @param verb upper case, as `<Limit>` writes it: `STOR`, `SITE_CHMOD`
 * @param argument the client's path, for AllowFilter and DenyFilter inside the sections
 */
export function authorizeCommand(
  config: PathConfig,
  verb: string,
  argument: string,
  principal: Principal,
): Permission {
  if (config.limitLevels.length === 0) return openDoor;
  const { groups, inAll } = limitedCommand(verb);
  const { decision, ignoreHidden } = evaluateLimits(
    config.limitLevels,
    { verb, groups, inAll, argument },
    principal,
  );
  return { allowed: decision !== 'deny', ignoreHidden };
}
