/** Which files `scp -f` means: the name itself, or what its wildcards match (UseGlobbing). */
import { setImmediate as turn } from 'node:timers/promises';
import type { SshSession } from '../ssh/ssh-types.ts';
import { expandGlob } from '../vfs/glob-expansion.ts';
import { isPattern } from '../vfs/glob.ts';

/**
 * A name nothing matches stays as it is: the file may really be called so, or its absence is the client's to hear. Other
 * sessions have their turns meanwhile. Throws FsError where a directory cannot be read to its end.
 * @param isOver - nobody waits for the names any more: none are given
 */
export async function expandNames(
  session: SshSession,
  name: string,
  isOver: () => boolean,
): Promise<readonly string[]> {
  const { useGlobbing } = session.vfs.configFor(session.vfs.cwd).settings;
  if (!useGlobbing || !isPattern(name)) return [name];
  const walk = expandGlob(session, name, 'RETR', false);
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value.length === 0 ? [name] : step.value.map(({ shown }) => shown);
    await turn();
    if (isOver()) {
      walk.return([]);
      return [];
    }
  }
}
