import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { loadNativeCrypt } from '../../../crypto/crypt-native.ts';
import { hashPassword } from '../../../crypto/password-hash.ts';
import { createPasswordPool } from '../../../src/auth/password-pool.ts';
import type { PasswordPoolOptions } from '../../../src/auth/password-pool.ts';
import { Secret } from '../../../src/log/secret.ts';

const SHA512 =
  '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.';
/** About half a second of PBKDF2; the right key does not matter. */
const SLOW = `$pbkdf2-sha256$2000000$${'A'.repeat(22)}$${'A'.repeat(43)}`;

function createPool(t: TestContext, options: PasswordPoolOptions = {}) {
  const pool = createPasswordPool({ threads: 1, ...options });
  t.after(() => pool.close());
  return pool;
}

describe('the password pool', { timeout: 60_000 }, () => {
  test('computes in threads of its own: the caller’s event loop keeps turning', async (t) => {
    const pool = createPool(t);
    let turns = 0;
    let running = true;
    const count = (): void => {
      turns += 1;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const verdict = await pool.verify(new Secret('secret'), new Secret(SLOW));
    running = false;
    assert.equal(verdict, 'mismatch');
    assert.ok(turns > 100, `${turns} turns`);
  });

  test('tells match, mismatch and unsupported apart', async (t) => {
    const pool = createPool(t);
    const own = await hashPassword('secret', 1000);
    assert.equal(await pool.verify(new Secret('secret'), new Secret(SHA512)), 'match');
    assert.equal(await pool.verify(new Secret('secret'), new Secret(own)), 'match');
    assert.equal(await pool.verify(new Secret('wrong'), new Secret(SHA512)), 'mismatch');
    assert.equal(await pool.verify(new Secret('secret'), new Secret('$9$x$y')), 'unsupported');
    const native = loadNativeCrypt() === null ? 'unsupported' : 'match';
    assert.equal(await pool.verify(new Secret('secret'), new Secret('abNANd1rDfiNc')), native);
  });

  test('refuses more checks than may wait, at once, and serves again afterwards', async (t) => {
    const pool = createPool(t, { maxWaiting: 1 });
    const ask = () => pool.verify(new Secret('secret'), new Secret(SLOW));
    const verdicts = await Promise.all([ask(), ask(), ask(), ask()]);
    assert.deepEqual(verdicts, ['mismatch', 'mismatch', 'overloaded', 'overloaded']);
    assert.equal(await pool.verify(new Secret('secret'), new Secret(SHA512)), 'match');
  });

  test('answers timed-out at the deadline and drops what nobody waits for any more', async (t) => {
    const pool = createPool(t, { deadlineMs: 50 });
    const ask = () => pool.verify(new Secret('secret'), new Secret(SLOW));
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), ['timed-out', 'timed-out', 'timed-out']);
  });

  test('answers failed, not with an exception, when it is closed', async () => {
    const pool = createPasswordPool({ threads: 1 });
    const pending = pool.verify(new Secret('secret'), new Secret(SLOW));
    await pool.close();
    assert.equal(await pending, 'failed');
    assert.equal(await pool.verify(new Secret('secret'), new Secret(SHA512)), 'failed');
  });
});
