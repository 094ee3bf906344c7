import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { MAX_STAPLE_BYTES, newStapleSlot, readStaple, writeStaple } from '../../../crypto/staple-slot.ts';
import { cipherOrder } from '../../../crypto/cipher-order.ts';
import {
  certificateForHello,
  type HelloPreferences,
  type ServerPreferences,
} from '../../../crypto/stapling.ts';
import { certificateTrees } from '../../support/certificates.ts';

const trees = certificateTrees();
const ec = new X509Certificate(readFileSync(trees.certAEc.certificate));
const rsa = new X509Certificate(readFileSync(trees.certA.certificate));
const [ECDSA_P256, ECDSA_P384, RSA_PSS, RSA_PKCS1] = [0x0403, 0x0503, 0x0804, 0x0401];

test('a slot gives what was written last, nothing before and nothing after its end', () => {
  const slot = newStapleSlot();
  assert.equal(readStaple(slot), null);
  writeStaple(slot, Buffer.from('first'), new Date(2_000));
  assert.equal(readStaple(slot, 1_000)?.toString(), 'first');
  assert.equal(readStaple(slot, 2_001), null);
  writeStaple(slot, Buffer.from('second'), null);
  assert.equal(readStaple(slot, Number.MAX_SAFE_INTEGER)?.toString(), 'second');
  writeStaple(slot, new Uint8Array(0), null);
  assert.equal(readStaple(slot), null);
  assert.throws(() => writeStaple(slot, new Uint8Array(MAX_STAPLE_BYTES + 1), null), RangeError);
});

test(
  'a thread that reads while another writes never sees half of two responses',
  { timeout: 20_000 },
  async () => {
    const slot = newStapleSlot();
    const module = new URL('../../../crypto/staple-slot.ts', import.meta.url).href;
    const writer = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
     import(${JSON.stringify(module)}).then(({ writeStaple }) => {
       for (let round = 0; round < 20000; round += 1)
         writeStaple(workerData, Buffer.alloc(200 + (round % 3) * 900, 65 + (round % 26)), null);
       parentPort.postMessage('done');
     });`,
      { eval: true, workerData: slot },
    );
    let running = true;
    const done = once(writer, 'message').then(() => (running = false));
    let seen = 0;
    while (running) {
      for (let round = 0; round < 200; round += 1) {
        const staple = readStaple(slot);
        if (staple === null) continue;
        seen += 1;
        assert.ok(staple.every((byte) => byte === staple[0]));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    await writer.terminate();
    assert.ok(seen > 0);
  },
);

test('the certificate a hello will be shown is known, or nothing is stapled', () => {
  const ECDHE_ECDSA_AES128 = 0xc02b;
  const ECDHE_RSA_AES256 = 0xc030;
  const ciphers = [
    { id: ECDHE_RSA_AES256, certificate: 'rsa' },
    { id: ECDHE_ECDSA_AES128, certificate: 'ec' },
  ] as const;
  const hello = {
    version: 'TLSv1.3',
    signatureSchemes: [],
    cipherSuites: [ECDHE_ECDSA_AES128, ECDHE_RSA_AES256],
    groups: [23, 29],
  } as const;
  const own = { serverPreference: true, ciphers, groups: 'auto' };
  const choose = (more: Partial<HelloPreferences>, server: Partial<ServerPreferences> = {}): string => {
    const chosen = certificateForHello([rsa, ec], { ...hello, ...more }, { ...own, ...server });
    return chosen === null ? 'none' : chosen === ec ? 'ec' : 'rsa';
  };
  const clients = { serverPreference: false };
  assert.equal(choose({ signatureSchemes: [RSA_PSS, ECDSA_P256] }), 'ec');
  assert.equal(choose({ signatureSchemes: [RSA_PSS, ECDSA_P256] }, clients), 'rsa');
  assert.equal(choose({ signatureSchemes: [ECDSA_P256, RSA_PSS] }, clients), 'ec');
  assert.equal(choose({ signatureSchemes: [ECDSA_P384, RSA_PSS] }), 'rsa', 'another curve');
  assert.equal(choose({ signatureSchemes: [RSA_PKCS1] }), 'none');

  const older = { version: 'TLSv1.2', signatureSchemes: [RSA_PKCS1, ECDSA_P256] } as const;
  assert.equal(choose(older), 'rsa', "the first cipher of the server's list that both have decides");
  assert.equal(choose(older, clients), 'ec', "of the client's list without server preference");
  assert.equal(choose({ ...older, cipherSuites: [ECDHE_ECDSA_AES128] }), 'ec');
  assert.equal(choose({ ...older, cipherSuites: [0x1234] }), 'none');
  assert.equal(choose(older, { ciphers: null }), 'none', 'the order is not known');
  assert.equal(choose({ ...older, groups: [29] }), 'none', 'the EC certificate has no group of the client');
  assert.equal(choose(older, { groups: 'X25519:P-384' }), 'none', 'nor one of the server');
  assert.equal(choose(older, { groups: 'X25519:P-256' }), 'rsa');
  assert.equal(choose({ ...older, version: 'older' }), 'none');
  assert.equal(choose({ ...older, signatureSchemes: [RSA_PKCS1] }), 'rsa');
  assert.equal(choose({ ...older, signatureSchemes: [ECDSA_P384] }), 'ec');
  assert.equal(certificateForHello([rsa], { ...hello, version: 'TLSv1.2' }, own), rsa);
  assert.equal(certificateForHello([], hello, own), null);
});

test('the order of ciphers is the one OpenSSL makes of a list', () => {
  const order = cipherOrder('ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:AES256-SHA:!SHA1');
  const known = order?.filter(({ id }) => id >>> 8 !== 0x13);
  assert.deepEqual(known, [
    { id: 0xc02f, certificate: 'rsa' },
    { id: 0xc02c, certificate: 'ec' },
  ]);
  assert.equal(cipherOrder('NO-SUCH-CIPHER'), null);
});
