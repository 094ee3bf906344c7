/** What DirFakeUser, DirFakeGroup and DirFakeMode make of an entry. */
import type { Account } from '../../src/actor/messages.ts';
import type { Settings } from '../../src/config/server-config.ts';
import type { OwnerNames } from './types.ts';

const TYPE_MASK = 0o170000;
const DIRECTORY = 0o040000;

/** Names and modes as DirFakeUser, DirFakeGroup and DirFakeMode show them, for every listing of every protocol. */
export class FakedAttributes {
  readonly #owners: OwnerNames;
  readonly #user: string | null;
  readonly #group: string | null;
  readonly #mode: number | null;
  /** Neighbours mostly share their owner: the last answers are the cache. */
  #uid = -1;
  #userName = '';
  #gid = -1;
  #groupName = '';

  /** @param account whose names `~` stands for; null before login */
  constructor(account: Pick<Account, 'user' | 'groupName'> | null, owners: OwnerNames, settings: Settings) {
    this.#owners = owners;
    this.#user = settings.dirFakeUser === '~' ? (account?.user ?? null) : settings.dirFakeUser;
    this.#group = settings.dirFakeGroup === '~' ? (account?.groupName ?? null) : settings.dirFakeGroup;
    this.#mode = settings.dirFakeMode;
  }

  userName(uid: number): string {
    if (this.#user !== null) return this.#user;
    if (uid !== this.#uid) {
      this.#uid = uid;
      this.#userName = this.#owners.userName(uid);
    }
    return this.#userName;
  }

  groupName(gid: number): string {
    if (this.#group !== null) return this.#group;
    if (gid !== this.#gid) {
      this.#gid = gid;
      this.#groupName = this.#owners.groupName(gid);
    }
    return this.#groupName;
  }

  /** The faked permission bits under the true type; directories get x wherever they get r. */
  mode(mode: number): number {
    if (this.#mode === null) return mode;
    const type = mode & TYPE_MASK;
    const search = type === DIRECTORY ? (this.#mode & 0o444) >> 2 : 0;
    return type | this.#mode | search;
  }
}
