/** The password step of a login: UserPassword and GroupPassword, then the modules of AuthOrder, one hash at a time. */
import { classifyHash } from '../../crypto/password-hash.ts';
import type { Settings } from '../config/server-config.ts';
import { Secret } from '../log/secret.ts';
import type { AccountState, AuthModule } from './account-source.ts';
import type { Accounts } from './accounts.ts';
import { rehashAdvice } from './hash-census.ts';
import type { HashPool, HashVerdict } from './password-pool.ts';

export type PasswordOutcome =
  | { readonly kind: 'accepted'; readonly state: AccountState }
  | { readonly kind: 'wrong' }
  /** No module of AuthOrder has a password for the name. */
  | { readonly kind: 'no-password' }
  /** The hash's scheme is one this server cannot compute, or the crypto profile forbids; `reason` for the log. */
  | { readonly kind: 'unsupported'; readonly reason: string }
  /** Nobody's fault: queue full, deadline, thread lost. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface PasswordQuestion {
  /** Whose password is checked; with AuthUsingAlias the alias itself. */
  readonly name: string;
  readonly groups: readonly string[];
  readonly password: Secret;
}

/**
 * Checks a password. Every outcome costs at least one hash: an account without a usable one (locked, empty, missing)
 * spends a decoy, so that time tells nobody apart.
 */
export async function checkPassword(
  question: PasswordQuestion,
  settings: Settings,
  accounts: Accounts,
  pool: HashPool,
): Promise<PasswordOutcome> {
  const override = overridingHash(question, settings);
  if (override !== null) {
    const verdict = await spend(question.password, override, accounts, pool);
    return outcomeOf(verdict, 'usable', () => unsupportedReason(override, null, question.name));
  }

  let last: PasswordOutcome | null = null;
  for (const { source, authoritative } of accounts.order) {
    const account = source.find(question.name);
    if (account !== null) {
      const verdict = await spend(question.password, account.hash, accounts, pool);
      const reason = (): string => unsupportedReason(account.hash, source.module, question.name);
      last = outcomeOf(verdict, account.state, reason);
      if (last.kind === 'accepted' || last.kind === 'unavailable') return last;
    }
    if (authoritative) break;
  }
  if (last !== null) return last;
  await spendDecoy(question.password, accounts, pool);
  return { kind: 'no-password' };
}

/** A hash of the usual cost whose verdict counts for nothing. */
export async function spendDecoy(password: Secret, accounts: Accounts, pool: HashPool): Promise<void> {
  await pool.verify(password, accounts.decoy());
}

/** UserPassword of this user; else GroupPassword of one of the groups. */
function overridingHash(question: PasswordQuestion, settings: Settings): Secret | null {
  const own = settings.userPassword.find((entry) => entry.name === question.name);
  const hash = own ?? settings.groupPassword.find((entry) => question.groups.includes(entry.name));
  return hash === undefined ? null : new Secret(hash.hash);
}

async function spend(
  password: Secret,
  hash: Secret,
  accounts: Accounts,
  pool: HashPool,
): Promise<HashVerdict> {
  if (isUsable(hash)) {
    const verdict = await pool.verify(password, hash);
    if (verdict !== 'unsupported') return verdict;
    await spendDecoy(password, accounts, pool);
    return 'unsupported';
  }
  await spendDecoy(password, accounts, pool);
  return 'mismatch';
}

/** An empty field, `!...` and `*...` never match; `x` points to a shadow entry that was not found. */
function isUsable(hash: Secret): boolean {
  const text = hash.reveal();
  return text !== '' && text !== 'x' && !text.startsWith('!') && !text.startsWith('*');
}

/** Why a stored hash is not checked, and where the profile forbids it what to do about it; never the hash itself. */
function unsupportedReason(hash: Secret, module: AuthModule | null, name: string): string {
  const kind = classifyHash(hash.reveal());
  if (kind.kind !== 'forbidden') return 'Unsupported password hash';
  const advice = rehashAdvice(module, name);
  return `Unsupported password hash: ${kind.scheme} is forbidden by the FIPS profile; ${advice}`;
}

function outcomeOf(verdict: HashVerdict, state: AccountState, reason: () => string): PasswordOutcome {
  switch (verdict) {
    case 'match':
      return { kind: 'accepted', state };
    case 'mismatch':
      return { kind: 'wrong' };
    case 'unsupported':
      return { kind: 'unsupported', reason: reason() };
    case 'overloaded':
    case 'timed-out':
    case 'failed':
      return { kind: 'unavailable', reason: verdict };
  }
}
