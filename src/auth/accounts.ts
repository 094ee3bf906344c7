/** The modules of AuthOrder as a list of sources, and the account a user name has in them. */
import type { Account } from '../actor/messages.ts';
import type { Settings, VirtualHost } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import type { Secret } from '../log/secret.ts';
import type { AccountFileCache } from './account-file-cache.ts';
import type { AccountSource, SourceAccount, SourceGroup } from './account-source.ts';
import { createAuthFileSource, createUnixSource } from './file-sources.ts';
import type { SystemFiles } from './file-sources.ts';
import { chooseDecoy } from './hash-census.ts';
import { createStoreSource } from './store-source.ts';
import type { StoreConnections } from './store-source.ts';

export interface OrderedSource {
  readonly source: AccountSource;
  /** `*` behind the module's name: what this module does not accept, no later one does. */
  readonly authoritative: boolean;
}

export interface FoundAccount {
  readonly account: SourceAccount;
  readonly source: AccountSource;
}

export interface SourceContext {
  readonly cache: AccountFileCache;
  readonly stores: StoreConnections;
  readonly systemFiles: SystemFiles;
  readonly log: (level: LogLevel, text: string) => void;
}

/** All accounts one virtual host knows. */
export class Accounts {
  readonly order: readonly OrderedSource[];
  /** Where group names come from when no module of AuthOrder knows one: names only, never memberships. */
  readonly #systemGroups: AccountSource;
  readonly #usesGroupFile: boolean;

  /** @param onMissing called with each module of AuthOrder that this server does not have (mod_auth_pam ...) */
  constructor(
    virtualHost: VirtualHost,
    settings: Settings,
    context: SourceContext,
    onMissing: (module: string) => void,
  ) {
    const { cache, stores, systemFiles, log } = context;
    this.#systemGroups = createUnixSource(systemFiles, cache, log);
    this.#usesGroupFile = settings.authGroupFile.length > 0;
    const order: OrderedSource[] = [];
    for (const { module, authoritative } of effectiveOrder(virtualHost, settings)) {
      const name = module.toLowerCase().replace(/\.c$/, '');
      if (name === 'mod_auth_file') {
        order.push({ source: createAuthFileSource(settings, cache, log), authoritative });
      } else if (name === 'mod_auth_unix') {
        order.push({ source: this.#systemGroups, authoritative });
      } else if (name === 'mod_lockgate') {
        if (settings.userStore !== null) {
          order.push({ source: createStoreSource(settings.userStore, stores), authoritative });
        }
      } else {
        onMissing(module);
      }
    }
    this.order = order;
  }

  /** The first module in AuthOrder that knows the name; an authoritative one ends the search. */
  find(name: string): FoundAccount | null {
    for (const { source, authoritative } of this.order) {
      const account = source.find(name);
      if (account !== null) return { account, source };
      if (authoritative) return null;
    }
    return null;
  }

  /** A hash of the commonest cost, for logins that have none of their own. */
  decoy(): Secret {
    return chooseDecoy(this.order.map(({ source }) => source.census()));
  }

  /** The identity a found account acts with. */
  toAccount(found: FoundAccount): Account {
    const { name, uid, gid, home, shell } = found.account;
    const primary = this.#groupById(gid);
    const groups = this.#membershipsOf(found).filter((group) => group.gid !== gid);
    const groupIds = groups.flatMap((group) => (group.gid === null ? [] : [group.gid]));
    return {
      user: name,
      uid,
      gid,
      groupName: primary,
      // Exactly these: a user without further groups gets the primary one alone (CVE-2024-48651).
      groupIds: [...new Set([gid, ...groupIds])],
      groups: [...new Set([primary, ...groups.map((group) => group.name)])],
      home,
      shell,
    };
  }

  /** For `Group` in `<Anonymous>`: by name, or a number; null when there is no such group. */
  groupNamed(nameOrId: string): { readonly name: string; readonly gid: number } | null {
    for (const source of this.#groupSources()) {
      const group = source.groupByName(nameOrId);
      if (group !== null && group.gid !== null) return { name: group.name, gid: group.gid };
    }
    if (!/^[0-9]{1,10}$/.test(nameOrId)) return null;
    const gid = Number(nameOrId);
    return gid <= 4_294_967_294 ? { name: this.#groupById(gid), gid } : null;
  }

  /**
   * Memberships come from the account's own module and from AuthGroupFile, the first in AuthOrder that has any. A
   * virtual user who happens to be called like a system user does not inherit that user's groups.
   */
  #membershipsOf(found: FoundAccount): readonly SourceGroup[] {
    for (const { source } of this.order) {
      const mayTell = source === found.source || (source.module === 'mod_auth_file' && this.#usesGroupFile);
      if (!mayTell) continue;
      const groups = source.groupsOf(found.account.name);
      if (groups.length > 0) return groups.map((group) => this.#withId(group));
    }
    return [];
  }

  /** The embedded store knows group names only; their ids are the system's, but never root's. */
  #withId(group: SourceGroup): SourceGroup {
    if (group.gid !== null) return group;
    const known = this.groupNamed(group.name);
    return known === null || known.gid === 0 || known.name !== group.name ? group : known;
  }

  #groupById(gid: number): string {
    for (const source of this.#groupSources()) {
      const group = source.groupById(gid);
      if (group !== null) return group.name;
    }
    return String(gid);
  }

  #groupSources(): readonly AccountSource[] {
    return [...this.order.map(({ source }) => source), this.#systemGroups];
  }
}

/** A configured embedded store goes first unless AuthOrder says where it stands. */
function effectiveOrder(virtualHost: VirtualHost, settings: Settings): Settings['authOrder'] {
  const isExplicit = virtualHost.settings.authOrder !== undefined;
  if (isExplicit || settings.userStore === null) return settings.authOrder;
  return [{ module: 'mod_lockgate', authoritative: false }, ...settings.authOrder];
}
