/** Which files `scp -f` means: the name itself, or what its wildcards match (UseGlobbing). */
import type { SshSession } from '../ssh/ssh-types.ts';
import { expandGlob } from '../vfs/glob-expansion.ts';
import { isPattern } from '../vfs/glob.ts';

/** A name nothing matches stays as it is: the file may really be called so, or its absence is the client's to hear. */
export function expandNames(session: SshSession, name: string): readonly string[] {
  const { useGlobbing } = session.vfs.configFor(session.vfs.cwd).settings;
  if (!useGlobbing || !isPattern(name)) return [name];
  const walk = expandGlob(session, name, 'RETR', false);
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value.length === 0 ? [name] : step.value.map(({ shown }) => shown);
  }
}
