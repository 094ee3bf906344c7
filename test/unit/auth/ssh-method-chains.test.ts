import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChainProgress, chainsInForce } from '../../../src/auth/ssh-method-chains.ts';
import type { Chain } from '../../../src/auth/ssh-method-chains.ts';
import { DEFAULT_SETTINGS } from '../../../src/config/default-settings.ts';
import type { PartialSettings } from '../../../src/config/server-config.ts';

const STORE = { kind: 'file', path: '~/.sftp/authorized_keys' } as const;

function chains(settings: PartialSettings): readonly Chain[] {
  return chainsInForce({ ...DEFAULT_SETTINGS, ...settings });
}

function methods(settings: PartialSettings): string[] {
  return [...new ChainProgress(chains(settings)).methods];
}

describe('without SFTPAuthMethods', () => {
  test('password alone is offered, publickey where keys are configured, hostbased where host keys are', () => {
    assert.deepEqual(methods({}), ['password']);
    assert.deepEqual(methods({ sftpAuthorizedUserKeys: [STORE] }), ['publickey', 'password']);
    assert.deepEqual(methods({ sftpAuthorizedHostKeys: [STORE], sftpAuthorizedUserKeys: [STORE] }), [
      'publickey',
      'hostbased',
      'password',
    ]);
  });

  test('the embedded store brings its keys and its codes', () => {
    assert.deepEqual(methods({ userStore: '/users.sqlite' }), [
      'publickey',
      'keyboard-interactive',
      'password',
    ]);
  });

  test('a trusted certificate authority is enough for publickey', () => {
    assert.deepEqual(methods({ sftpTrustedUserCAKeys: '/ca.pub' }), ['publickey', 'password']);
  });
});

describe('chains', () => {
  test('a list is what is offered, no more', () => {
    assert.deepEqual(methods({ sftpAuthMethods: [['publickey']] }), ['publickey']);
  });

  test('links must be passed in order', () => {
    const progress = new ChainProgress(chains({ sftpAuthMethods: [['publickey', 'password']] }));
    assert.deepEqual(progress.methods, ['publickey']);
    assert.equal(progress.next('password'), null);
    assert.equal(progress.wouldComplete('publickey'), false);
    progress.pass('publickey');
    assert.deepEqual(progress.methods, ['password']);
    assert.equal(progress.wouldComplete('password'), true);
  });

  test('two chains of the same methods take them in any order', () => {
    const both = [
      ['publickey', 'password'],
      ['password', 'publickey'],
    ];
    for (const [first, second] of [
      ['publickey', 'password'],
      ['password', 'publickey'],
    ] as const) {
      const progress = new ChainProgress(chains({ sftpAuthMethods: both }));
      assert.deepEqual([...progress.methods].toSorted(), ['password', 'publickey']);
      progress.pass(first);
      assert.deepEqual(progress.methods, [second]);
      assert.equal(progress.wouldComplete(second), true);
    }
  });

  test('a chain that waits for another method does not move', () => {
    const progress = new ChainProgress(
      chains({ sftpAuthMethods: [['publickey', 'password'], ['keyboard-interactive']] }),
    );
    progress.pass('publickey');
    assert.deepEqual(progress.methods, ['password', 'keyboard-interactive']);
  });

  test('publickey twice is two links', () => {
    const progress = new ChainProgress(chains({ sftpAuthMethods: [['publickey', 'publickey']] }));
    assert.equal(progress.wouldComplete('publickey'), false);
    progress.pass('publickey');
    assert.equal(progress.wouldComplete('publickey'), true);
  });

  test('the driver of keyboard-interactive is known to its link', () => {
    const progress = new ChainProgress(chains({ sftpAuthMethods: [['keyboard-interactive:otp']] }));
    assert.deepEqual(progress.next('keyboard-interactive'), {
      method: 'keyboard-interactive',
      driver: 'otp',
    });
  });

  test('what is required from now on replaces every chain', () => {
    const progress = new ChainProgress(chains({ sftpAuthorizedUserKeys: [STORE] }));
    progress.require({ method: 'keyboard-interactive', driver: 'otp' });
    assert.deepEqual(progress.methods, ['keyboard-interactive']);
    assert.equal(progress.wouldComplete('password'), false);
  });
});
