/** How one listing shows entries: names of owners, DirFake*, links, times, and the layout of the lines. */
import type { Settings } from '../../src/config/server-config.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { DirectoryEntry, VirtualPath } from '../vfs/types.ts';
import type { FtpSession } from './session-types.ts';
import { accountOf } from './session-account.ts';
import { FakedAttributes } from '../vfs/faked-attributes.ts';
import { ListLineFormatter, printableName, type ListedEntry } from '../vfs/list-line.ts';
import type { ListFlags } from './wire/list-options.ts';

const TYPE_MASK = 0o170000;
const DIRECTORY = 0o040000;
const LINK = 0o120000;

/** One entry's line and what it is sorted by. */
export interface ListedLine {
  /** As shown. */
  readonly name: string;
  readonly line: string;
  /** Size or time, whichever the options sort by; 0 for names. */
  readonly key: number;
}

export class ListPresenter {
  readonly flags: ListFlags;
  readonly #session: FtpSession;
  readonly #attributes: FakedAttributes;
  readonly #lines: ListLineFormatter;
  readonly #adjustLinks: boolean;

  constructor(session: FtpSession, settings: Settings, flags: ListFlags) {
    this.flags = flags;
    this.#session = session;
    this.#attributes = new FakedAttributes(accountOf(session), session.vfs.owners, settings);
    this.#adjustLinks = settings.listOptions.adjustedSymlinks;
    this.#lines = new ListLineFormatter({
      style: settings.listStyle,
      gmt: settings.timesGMT,
      humanSizes: flags.humanSizes,
      now: Date.now(),
    });
  }

  /** `shown` is the name as the listing prints it; `path` where the entry is. */
  present(entry: DirectoryEntry, shown: string, path: VirtualPath): ListedLine {
    const { flags } = this;
    const followed = flags.dereference && entry.linkTarget !== null ? this.#follow(entry, path) : entry;
    const { stats } = followed;
    const time =
      flags.time === 'modify' ? stats.mtimeMs : flags.time === 'change' ? stats.ctimeMs : stats.atimeMs;
    const name = printableName(shown, flags.escape) + (flags.classify ? classMark(stats.mode) : '');
    const key = flags.sort === 'size' ? stats.size : flags.sort === 'time' ? time : 0;
    if (flags.layout !== 'long') return { name, line: name, key };
    const listed: ListedEntry = {
      name,
      mode: this.#attributes.mode(stats.mode),
      links: stats.nlink,
      user: flags.numericIds ? String(stats.uid) : this.#attributes.userName(stats.uid),
      group: flags.numericIds ? String(stats.gid) : this.#attributes.groupName(stats.gid),
      size: stats.size,
      time,
      linkTarget: followed.linkTarget === null ? null : this.#linkText(followed.linkTarget),
    };
    return { name, line: this.#lines.format(listed), key };
  }

  /** -L: the target's attributes; a link that leads nowhere stays a link. */
  #follow(entry: DirectoryEntry, path: VirtualPath): DirectoryEntry {
    try {
      return { name: entry.name, stats: this.#session.vfs.stat(path, 'LIST'), linkTarget: null };
    } catch (error) {
      if (error instanceof FsError) return entry;
      throw error;
    }
  }

  /** AdjustedSymlinks: an absolute target inside the root as the client would have to name it. */
  #linkText(target: string): string {
    const text = this.#adjustLinks ? adjustLinkTarget(target, this.#session.vfs.root) : target;
    return printableName(text, this.flags.escape);
  }
}

/** `/srv/ftp/pub` under the root `/srv/ftp` is `/pub` for the client. */
export function adjustLinkTarget(target: string, root: string): string {
  if (root === '/' || !target.startsWith(root)) return target;
  const rest = target.slice(root.length);
  if (rest === '') return '/';
  return rest.startsWith('/') ? rest : target;
}

function classMark(mode: number): string {
  const type = mode & TYPE_MASK;
  if (type === DIRECTORY) return '/';
  if (type === LINK) return '@';
  return type === 0o100000 && (mode & 0o111) !== 0 ? '*' : '';
}
