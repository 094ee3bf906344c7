/** server-sig-algs, and what the table of algorithms says of certificates. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sshAlgorithm, SSH_ALGORITHMS, sshRefusal } from '../../../crypto/ssh-algorithms.ts';
import { DEFAULT_SETTINGS } from '../../../src/config/registry.ts';
import type { PartialSettings } from '../../../src/config/server-config.ts';
import { acceptedUserAlgorithms } from '../../../workers/ssh/transport/algorithm-offer.ts';

const PLAIN = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'sk-ssh-ed25519@openssh.com'];
const CERTIFICATES = ['ssh-ed25519-cert-v01@openssh.com', 'rsa-sha2-512-cert-v01@openssh.com'];

const accepted = (settings: PartialSettings): string[] =>
  acceptedUserAlgorithms({ ...DEFAULT_SETTINGS, ...settings });

test('server-sig-algs names certificates where an authority can be trusted, and plain keys always', () => {
  const without = accepted({});
  for (const name of PLAIN) assert.ok(without.includes(name), name);
  assert.ok(!without.some((name) => name.includes('-cert-')), without.join());
  for (const settings of [
    { sftpTrustedUserCAKeys: '/etc/ca.pub' },
    // A line of the file may begin with cert-authority.
    { sftpAuthorizedUserKeys: [{ kind: 'file', path: '~/.ssh/authorized_keys' }] },
  ] as const) {
    const names = accepted(settings);
    for (const name of [...PLAIN, ...CERTIFICATES]) assert.ok(names.includes(name), name);
  }
  assert.deepEqual(accepted({ sftpTrustedUserCAKeys: '/etc/ca.pub', sftpAuthPublicKeys: ['ssh-ed25519'] }), [
    'ssh-ed25519',
  ]);
});

test('certificates of users may be named, those of hosts are refused, and SHA-1 ones for both', () => {
  for (const name of CERTIFICATES) {
    assert.equal(sshRefusal(sshAlgorithm('public-key', name)!, null), null, name);
    assert.equal(sshRefusal(sshAlgorithm('host-key', name)!, null), 'host certificates are not implemented');
  }
  for (const kind of ['public-key', 'host-key'] as const)
    assert.notEqual(sshRefusal(sshAlgorithm(kind, 'ssh-rsa-cert-v01@openssh.com')!, null), null);
  assert.ok(
    !SSH_ALGORITHMS.some(
      ({ name, standing }) => name.includes('-cert-') && standing.status === 'only-when-named',
    ),
  );
});
