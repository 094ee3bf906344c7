import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { MAX_STAPLE_BYTES, newStapleSlot, readStaple, writeStaple } from '../../../crypto/staple-slot.ts';
import { certificateForHello } from '../../../crypto/stapling.ts';
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
  const choose = (isTls13: boolean, signatureSchemes: readonly number[], serverPreference = true): string => {
    const chosen = certificateForHello([rsa, ec], { isTls13, signatureSchemes }, serverPreference);
    return chosen === null ? 'none' : chosen === ec ? 'ec' : 'rsa';
  };
  assert.equal(choose(true, [RSA_PSS, ECDSA_P256]), 'ec');
  assert.equal(choose(true, [RSA_PSS, ECDSA_P256], false), 'rsa');
  assert.equal(choose(true, [ECDSA_P256, RSA_PSS], false), 'ec');
  assert.equal(choose(true, [ECDSA_P384, RSA_PSS]), 'rsa', 'another curve');
  assert.equal(choose(true, [RSA_PKCS1]), 'none');
  assert.equal(choose(false, [RSA_PKCS1, ECDSA_P256]), 'none', 'the cipher decides in TLS 1.2');
  assert.equal(choose(false, [RSA_PKCS1]), 'rsa');
  assert.equal(choose(false, [ECDSA_P384]), 'ec');
  assert.equal(certificateForHello([rsa], { isTls13: false, signatureSchemes: [] }, true), rsa);
  assert.equal(certificateForHello([], { isTls13: true, signatureSchemes: [] }, true), null);
});
