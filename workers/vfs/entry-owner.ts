/** UserOwner and GroupOwner (core reference, section 4.5): whose a new entry is. */
import type { Settings } from '../../src/config/server-config.ts';
import { errnoOf } from './errno-mapping.ts';
import type { SessionFiles } from './session-files.ts';

const UNCHANGED = -1;

/** Changes the owner of one object that is held open; -1 leaves an id as it is. */
export type ChangeOwner = (uid: number, gid: number) => void;

export function hasOwnerDirective(settings: Settings): boolean {
  return settings.userOwner !== null || settings.groupOwner !== null;
}

/**
 * Applies the directives to an entry this session has just made. UserOwner needs root; GroupOwner alone is done
 * with the user's rights, so the kernel asks for membership. A failure is only logged: the entry stays.
 */
export function applyOwner(
  files: SessionFiles,
  settings: Settings,
  changeOwner: ChangeOwner,
  realPath: string,
): void {
  const { userOwner, groupOwner } = settings;
  if (userOwner === null && groupOwner === null) return;
  const { identity, owners } = files;
  const uid = userOwner === null ? UNCHANGED : userOwner === '~' ? identity.uid : owners.uidOf(userOwner);
  const gid = groupOwner === null ? UNCHANGED : groupOwner === '~' ? identity.gid : owners.gidOf(groupOwner);
  if (uid === null)
    files.warn(`UserOwner: no such user '${userOwner}', owner of '${realPath}' left as it is`);
  if (gid === null)
    files.warn(`GroupOwner: no such group '${groupOwner}', group of '${realPath}' left as it is`);
  const change = (): void => changeOwner(uid ?? UNCHANGED, gid ?? UNCHANGED);
  try {
    if (userOwner === null) change();
    else identity.runPrivileged(change);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    files.warn(`chown of '${realPath}' for UserOwner/GroupOwner failed: ${errno}`);
  }
}
