import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import {
  createTestKey,
  keyProof,
  openUserauthFixture,
  SESSION_IDENTIFIER,
  userauthRequest,
} from '../support/userauth-fixture.ts';
import type { TestKey } from '../support/userauth-fixture.ts';

const ALGORITHM = 'ssh-ed25519-cert-v01@openssh.com';
const REFUSED = 'publickey,password';
const FOR_EVER = 0xffff_ffff_ffff_ffffn;

interface CertificateParts {
  readonly principals?: readonly string[];
  readonly validBefore?: bigint;
  readonly kind?: number;
  readonly critical?: readonly (readonly [name: string, value: string])[];
}

/** As PROTOCOL.certkeys has it, signed by `authority`. */
function certificate(key: TestKey, authority: TestKey, parts: CertificateParts = {}): Buffer {
  const reader = new ByteReader(key.blob);
  reader.string();
  const principals = new ByteWriter();
  for (const name of parts.principals ?? ['alice']) principals.string(name);
  const critical = new ByteWriter();
  for (const [name, value] of parts.critical ?? []) {
    critical.string(name).string(new ByteWriter().string(value).finish());
  }
  const signed = new ByteWriter()
    .string(ALGORITHM)
    .string(Buffer.alloc(32, 7))
    .string(reader.string())
    .u64(1n)
    .u32(parts.kind ?? 1)
    .string('test id')
    .string(principals.finish())
    .u64(0n)
    .u64(parts.validBefore ?? FOR_EVER)
    .string(critical.finish())
    .string('')
    .string('')
    .string(authority.blob)
    .finish();
  const signature = new ByteWriter()
    .string('ssh-ed25519')
    .string(sign(null, signed, authority.privateKey))
    .finish();
  return new ByteWriter().raw(signed).string(signature).finish();
}

function proof(user: string, key: TestKey, blob: Buffer): Buffer {
  const fields = (writer: ByteWriter): ByteWriter => writer.bool(true).string(ALGORITHM).string(blob);
  const data = new ByteWriter()
    .string(SESSION_IDENTIFIER)
    .raw(userauthRequest(user, 'publickey', fields))
    .finish();
  const signature = new ByteWriter()
    .string('ssh-ed25519')
    .string(sign(null, data, key.privateKey))
    .finish();
  return userauthRequest(user, 'publickey', (writer) => fields(writer).string(signature));
}

describe('user certificates', { timeout: 30_000 }, () => {
  test('log in the users they name, while they are valid, from where they say', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, authority, stranger] = [createTestKey(), createTestKey(), createTestKey()];
    const path = fixture.write('ca.pub', authority.line, 0o644);
    const settings = { sftpTrustedUserCAKeys: path };
    const tried = (blob: Buffer, user = 'alice') =>
      fixture.connect({ settings }).outcome(proof(user, key, blob));
    assert.equal(await tried(certificate(key, authority)), 'accepted');
    assert.equal(await tried(certificate(key, authority), 'bob'), REFUSED);
    assert.equal(await tried(certificate(key, authority, { principals: [] })), REFUSED);
    assert.equal(await tried(certificate(key, authority, { validBefore: 1000n })), REFUSED);
    assert.equal(await tried(certificate(key, authority, { kind: 2 })), REFUSED);
    assert.equal(await tried(certificate(key, stranger)), REFUSED);
    assert.equal(await tried(certificate(stranger, authority)), REFUSED);
    const from = (list: string) => certificate(key, authority, { critical: [['source-address', list]] });
    assert.equal(await tried(from('192.0.2.0/24')), 'accepted');
    assert.equal(await tried(from('10.0.0.0/8')), REFUSED);
    assert.equal(await tried(certificate(key, authority, { critical: [['unheard-of', '']] })), REFUSED);
  });

  test('without a trusted authority are refused, and the log says why', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, authority] = [createTestKey(), createTestKey()];
    const connection = fixture.connect();
    assert.equal(await connection.outcome(proof('alice', key, certificate(key, authority))), REFUSED);
    assert.ok(
      connection.lines.includes(
        "certificate 'test id' (serial 1) refused for user 'alice': its authority is not trusted",
      ),
    );
  });

  test('a cert-authority line of the user trusts its principals; the authority itself is no key', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, authority] = [createTestKey(), createTestKey()];
    fixture.write('alice/.sftp/authorized_keys', `cert-authority,principals="deploy" ${authority.line}\n`);
    const tried = (blob: Buffer) => fixture.connect().outcome(proof('alice', key, blob));
    assert.equal(await tried(certificate(key, authority, { principals: ['deploy'] })), 'accepted');
    assert.equal(await tried(certificate(key, authority, { principals: ['alice'] })), REFUSED);
  });

  test('SFTPAuthPublicKeys decides on certificates by their own names', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, authority] = [createTestKey(), createTestKey()];
    fixture.authorize('alice', key);
    const sftpTrustedUserCAKeys = fixture.write('ca.pub', authority.line);
    const tried = (sftpAuthPublicKeys: readonly string[], payload: Buffer): Promise<string> =>
      fixture.connect({ settings: { sftpTrustedUserCAKeys, sftpAuthPublicKeys } }).outcome(payload);
    const withCertificate = proof('alice', key, certificate(key, authority));
    assert.equal(await tried([ALGORITHM], withCertificate), 'accepted');
    assert.equal(await tried([ALGORITHM], keyProof('alice', key)), REFUSED);
    assert.equal(await tried(['ssh-ed25519'], withCertificate), REFUSED);
    assert.equal(await tried(['ssh-ed25519'], keyProof('alice', key)), 'accepted');
  });

  test('a certificate and its plain key are one key for publickey+publickey', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, authority] = [createTestKey(), createTestKey()];
    const path = fixture.write('ca.pub', authority.line, 0o644);
    const settings = { sftpTrustedUserCAKeys: path, sftpAuthMethods: [['publickey', 'publickey']] };
    const connection = fixture.connect({ settings });
    const request = proof('alice', key, certificate(key, authority));
    assert.equal(await connection.outcome(request), 'publickey partial');
    assert.equal(await connection.outcome(request), 'publickey');
  });
});
