/**
 * Which hash costs a store holds, so that a login that fails without a hash of its own (unknown user, locked
 * account, denied before the password) still computes one of the commonest cost and takes as long as a wrong
 * password does.
 */
import { randomBytes } from 'node:crypto';
import { encodeAdaptedBase64 } from '../../crypto/crypt-base64.ts';
import { classifyHash, PBKDF2_ROUNDS } from '../../crypto/password-hash.ts';
import { Secret } from '../log/secret.ts';

/** Per cost: how many accounts use it, and one of their hashes. The sample's verdict is always thrown away. */
export type HashCensus = ReadonlyMap<string, { readonly count: number; readonly sample: Secret }>;

export const EMPTY_CENSUS: HashCensus = new Map();

export function takeCensus(hashes: Iterable<Secret>): HashCensus {
  const census = new Map<string, { count: number; sample: Secret }>();
  for (const hash of hashes) {
    const kind = classifyHash(hash.reveal());
    if (kind.kind !== 'crypt' && kind.kind !== 'pbkdf2') continue;
    const known = census.get(kind.cost);
    if (known === undefined) census.set(kind.cost, { count: 1, sample: hash });
    else known.count++;
  }
  return census;
}

/** For servers without a single usable hash: what `lockgate user add` would write, with a key nobody knows. */
const FALLBACK_DECOY = new Secret(
  `$pbkdf2-sha256$${PBKDF2_ROUNDS}$${encodeAdaptedBase64(randomBytes(16))}$${encodeAdaptedBase64(randomBytes(32))}`,
);

export function mergeCensuses(censuses: readonly HashCensus[]): HashCensus {
  const totals = new Map<string, { count: number; sample: Secret }>();
  for (const census of censuses) {
    for (const [cost, { count, sample }] of census) {
      const known = totals.get(cost);
      if (known === undefined) totals.set(cost, { count, sample });
      else known.count += count;
    }
  }
  return totals;
}

/** One of the commonest hashes of all stores together; the earlier store wins a tie. */
export function chooseDecoy(censuses: readonly HashCensus[]): Secret {
  let best: { readonly count: number; readonly sample: Secret } | null = null;
  for (const total of mergeCensuses(censuses).values()) {
    if (best === null || total.count > best.count) best = total;
  }
  return best?.sample ?? FALLBACK_DECOY;
}
