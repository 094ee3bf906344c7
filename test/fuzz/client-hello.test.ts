import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { recordClientHello } from '../support/client-hello.ts';
import { parseClientHello } from '../../workers/ftp/tls/client-hello.ts';
import { RecordTracker, isRecordType } from '../../workers/ftp/tls/control-bridge.ts';

test('no bytes make the ClientHello parser throw', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const { kind } = parseClientHello(Buffer.from(bytes));
      assert.ok(['hello', 'incomplete', 'not-a-hello'].includes(kind));
    }),
    { numRuns: 2_000 },
  );
});

test(
  'a hello with bytes changed anywhere is read or refused, never thrown',
  { timeout: 60_000 },
  async () => {
    const original = await recordClientHello({ servername: 'fuzz.example.org', ALPNProtocols: ['ftp'] });
    const change = fc.record({ at: fc.nat(original.length - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(original);
        for (const { at, value } of changes) bytes[at] = value;
        const result = parseClientHello(bytes);
        if (result.kind === 'hello') assert.equal(typeof result.hello.sessionIdLength, 'number');
      }),
      { numRuns: 2_000 },
    );
  },
);

test('the first clear byte after CCC is found however the records are split', { timeout: 60_000 }, () => {
  const record = fc
    .tuple(fc.integer({ min: 0x14, max: 0x17 }), fc.uint8Array({ maxLength: 40 }))
    .map(([type, body]) => Buffer.concat([Buffer.from([type, 3, 3, 0, body.length]), body]));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (records, size) => {
      const tls = Buffer.concat(records);
      const all = Buffer.concat([tls, Buffer.from('PASV\r\n')]);
      const tracker = new RecordTracker();
      let consumed = 0;
      while (consumed < all.length) {
        const chunk = all.subarray(consumed, consumed + size);
        const taken = tracker.consume(chunk, isRecordType);
        consumed += taken;
        if (taken < chunk.length) break;
      }
      assert.equal(consumed, tls.length);
    }),
    { numRuns: 1_000 },
  );
});
