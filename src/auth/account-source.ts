/** What a module of AuthOrder offers: accounts, groups, and the hash costs it holds. */
import type { Secret } from '../log/secret.ts';
import type { HashCensus } from './hash-census.ts';
import type { StoredTotp } from './user-store-credentials.ts';

export type AuthModule = 'mod_auth_file' | 'mod_auth_unix' | 'mod_lockgate';

/** Whether an account may be used at all, known before any password. */
export type AccountState = 'usable' | 'disabled' | 'password-expired';

export interface SourceAccount {
  readonly name: string;
  readonly hash: Secret;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
  readonly state: AccountState;
}

/** A group by name; `gid` is null for a group of the embedded store that has a name only. */
export interface SourceGroup {
  readonly name: string;
  readonly gid: number | null;
}

/** What an account can prove itself with besides its password. */
export interface SourceCredentials {
  /** Entries as authorized_keys files hold them. */
  publicKeys(name: string): readonly string[];
  /** Null: no one-time codes for this account. */
  totp(name: string): StoredTotp | null;
  /** Marks a step as used, for good. `unavailable` (logged): it could not be noted, so the code must not count. */
  useTotpStep(name: string, step: number): 'used' | 'replayed' | 'unavailable';
}

export interface AccountSource {
  readonly module: AuthModule;
  /** Null where the module knows passwords only. */
  readonly credentials: SourceCredentials | null;
  find(name: string): SourceAccount | null;
  /** Groups that list this user as a member; the primary group need not be among them. */
  groupsOf(user: string): readonly SourceGroup[];
  groupByName(name: string): SourceGroup | null;
  groupById(gid: number): SourceGroup | null;
  census(): HashCensus;
}
