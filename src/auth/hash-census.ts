/**
 * Which hashes a store holds. By cost, so that a login that fails without a hash of its own (unknown user, locked
 * account, denied before the password) still computes one of the commonest cost and takes as long as a wrong password
 * does. And by scheme where the crypto profile has something to say about it, so that operators hear at the start
 * which accounts will not get in.
 */
import { randomBytes } from 'node:crypto';
import { encodeAdaptedBase64 } from '../../crypto/crypt-base64.ts';
import { classifyHash, PBKDF2_ROUNDS } from '../../crypto/password-hash.ts';
import { activeProfile, type CryptoProfile, type PasswordScheme } from '../../crypto/profile.ts';
import { Secret } from '../log/secret.ts';
import type { AuthModule } from './account-source.ts';

export interface HashCensus {
  /** Per cost: how many accounts use it, and one of their hashes. The sample's verdict is always thrown away. */
  readonly costs: ReadonlyMap<string, { readonly count: number; readonly sample: Secret }>;
  /** Accounts per scheme that can be checked. */
  readonly checkable: ReadonlyMap<PasswordScheme, number>;
  /** Accounts per scheme that the crypto profile forbids. */
  readonly forbidden: ReadonlyMap<PasswordScheme, number>;
}

export const EMPTY_CENSUS: HashCensus = { costs: new Map(), checkable: new Map(), forbidden: new Map() };

export function takeCensus(hashes: Iterable<Secret>, profile: CryptoProfile = activeProfile()): HashCensus {
  const costs = new Map<string, { count: number; sample: Secret }>();
  const checkable = new Map<PasswordScheme, number>();
  const forbidden = new Map<PasswordScheme, number>();
  for (const hash of hashes) {
    const kind = classifyHash(hash.reveal(), profile);
    if (kind.kind === 'forbidden') forbidden.set(kind.scheme, (forbidden.get(kind.scheme) ?? 0) + 1);
    if (kind.kind !== 'crypt' && kind.kind !== 'pbkdf2') continue;
    checkable.set(kind.scheme, (checkable.get(kind.scheme) ?? 0) + 1);
    const known = costs.get(kind.cost);
    if (known === undefined) costs.set(kind.cost, { count: 1, sample: hash });
    else known.count++;
  }
  return { costs, checkable, forbidden };
}

/** For servers without a single usable hash: what `lockgate user add` would write, with a key nobody knows. */
const FALLBACK_DECOY = new Secret(
  `$pbkdf2-sha256$${PBKDF2_ROUNDS}$${encodeAdaptedBase64(randomBytes(16))}$${encodeAdaptedBase64(randomBytes(32))}`,
);

export function mergeCensuses(censuses: readonly HashCensus[]): HashCensus {
  const costs = new Map<string, { count: number; sample: Secret }>();
  for (const census of censuses) {
    for (const [cost, { count, sample }] of census.costs) {
      const known = costs.get(cost);
      if (known === undefined) costs.set(cost, { count, sample });
      else known.count += count;
    }
  }
  return {
    costs,
    checkable: sum(censuses.map((census) => census.checkable)),
    forbidden: sum(censuses.map((census) => census.forbidden)),
  };
}

function sum(counts: readonly ReadonlyMap<PasswordScheme, number>[]): Map<PasswordScheme, number> {
  const total = new Map<PasswordScheme, number>();
  for (const one of counts)
    for (const [scheme, count] of one) total.set(scheme, (total.get(scheme) ?? 0) + count);
  return total;
}

/** One of the commonest hashes of all stores together; the earlier store wins a tie. */
export function chooseDecoy(censuses: readonly HashCensus[]): Secret {
  let best: { readonly count: number; readonly sample: Secret } | null = null;
  for (const total of mergeCensuses(censuses).costs.values()) {
    if (best === null || total.count > best.count) best = total;
  }
  return best?.sample ?? FALLBACK_DECOY;
}

/** Unapproved, and checked all the same (password-hash.ts says why). */
const TOLERATED: readonly PasswordScheme[] = ['sha256-crypt', 'sha512-crypt'];

/**
 * What operators of a server in FIPS mode read at its start about one module of AuthOrder; counts, never names or
 * hashes. Empty outside FIPS mode.
 */
export function censusLines(
  module: AuthModule,
  census: HashCensus,
  profile: CryptoProfile = activeProfile(),
): { readonly level: 'warn' | 'notice'; readonly text: string }[] {
  if (!profile.fips) return [];
  const lines: { level: 'warn' | 'notice'; text: string }[] = [];
  const forbidden = listed(census.forbidden);
  if (forbidden !== null) {
    const text = `accounts with password hashes the FIPS profile forbids, their logins are refused: ${forbidden}`;
    lines.push({ level: 'warn', text: `${module}: ${text}; ${rehashAdvice(module, 'NAME')}` });
  }
  const tolerated = listed(new Map([...census.checkable].filter(([scheme]) => TOLERATED.includes(scheme))));
  if (tolerated !== null) {
    const text = `accounts with password hashes of an unapproved construction over the module's SHA-2: ${tolerated}`;
    lines.push({
      level: 'notice',
      text: `${module}: ${text}; only PBKDF2 ('lockgate user passwd') is approved`,
    });
  }
  return lines;
}

function listed(counts: ReadonlyMap<PasswordScheme, number>): string | null {
  if (counts.size === 0) return null;
  return [...counts].map(([scheme, count]) => `${count} ${scheme}`).join(', ');
}

/** How a password is stored anew so that it can be checked under FIPS. */
export function rehashAdvice(module: AuthModule | null, user: string): string {
  switch (module) {
    case 'mod_lockgate':
      return `store the password anew with 'lockgate user passwd ${user}'`;
    case 'mod_auth_unix':
      return `store the password anew with 'passwd ${user}' and ENCRYPT_METHOD SHA512`;
    default:
      return `store the password anew with 'lockgate user add ${user}' (PBKDF2), or its 'openssl passwd -6' in the file`;
  }
}
