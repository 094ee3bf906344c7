/** The entries of MLSD and MLST: facts out of file attributes (RFC 3659, section 7). */
import type { Settings } from '../../src/config/server-config.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { DirectoryCursor, DirectoryEntry, VirtualPath } from '../vfs/types.ts';
import { FakedAttributes } from '../vfs/faked-attributes.ts';
import { adjustLinkTarget } from './list-presenter.ts';
import { accountOf } from './session-account.ts';
import { parentOf } from './directory-listing.ts';
import type { FtpSession } from './session-types.ts';
import { FactLineFormatter, type FactEntry } from './wire/fact-line.ts';
import { printableName } from '../vfs/list-line.ts';

const BATCH = 256;

export class FactPresenter {
  readonly #session: FtpSession;
  readonly #attributes: FakedAttributes;
  readonly #lines: FactLineFormatter;
  readonly #options: readonly string[];

  constructor(session: FtpSession, settings: Settings) {
    this.#session = session;
    this.#attributes = new FakedAttributes(accountOf(session), session.vfs.owners, settings);
    this.#options = settings.factsOptions;
    const noNames = settings.factsOptions.includes('NoNames');
    const facts = session.mlstFacts.filter((name) => !noNames || !/^UNIX\.(owner|group)name$/i.test(name));
    this.#lines = new FactLineFormatter(facts);
  }

  /** `name` as the line shows it; `type` for `.` and `..` of a directory listing. */
  line(entry: DirectoryEntry, name: string, type: 'cdir' | 'pdir' | null): string {
    const { stats } = entry;
    const facts: FactEntry = {
      type: type ?? this.#typeOf(entry),
      slinkTarget: this.#slinkTarget(entry),
      modify: stats.mtimeMs,
      size: stats.size,
      device: stats.dev,
      inode: stats.ino,
      mode: this.#attributes.mode(stats.mode),
      owner: stats.uid,
      group: stats.gid,
      ownerName: this.#attributes.userName(stats.uid),
      groupName: this.#attributes.groupName(stats.gid),
      rights: this.#session.vfs.rights(stats),
    };
    return this.#lines.format(facts, printableName(name, false));
  }

  #typeOf(entry: DirectoryEntry): FactEntry['type'] {
    if (entry.linkTarget !== null) return 'link';
    return entry.stats.isDirectory() ? 'dir' : 'file';
  }

  #slinkTarget(entry: DirectoryEntry): string | null {
    if (entry.linkTarget === null || !this.#options.includes('UseSlink')) return null;
    if (!this.#options.includes('AdjustedSymlinks')) return entry.linkTarget;
    return adjustLinkTarget(entry.linkTarget, this.#session.vfs.root);
  }
}

/** MLSD: the directory itself, its parent, then every entry in directory order, hidden names included. */
export function* factListing(
  session: FtpSession,
  path: VirtualPath,
  cursor: DirectoryCursor,
  settings: Settings,
): Generator<string, void> {
  const presenter = new FactPresenter(session, settings);
  yield specialLine(session, presenter, path, '.', 'cdir');
  yield specialLine(session, presenter, parentOf(path), '..', 'pdir');
  for (;;) {
    const batch = cursor.next(BATCH);
    let text = '';
    for (const entry of batch) text += `${presenter.line(entry, entry.name, null)}\r\n`;
    yield text;
    if (cursor.ended) return;
  }
}

/** Empty when the session may not look at it. */
function specialLine(
  session: FtpSession,
  presenter: FactPresenter,
  path: VirtualPath,
  name: string,
  type: 'cdir' | 'pdir',
): string {
  try {
    return `${presenter.line(session.vfs.entry(path, 'MLSD'), name, type)}\r\n`;
  } catch (error) {
    if (error instanceof FsError) return '';
    throw error;
  }
}
