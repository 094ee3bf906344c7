import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SshAuthMethod } from '../../src/actor/messages.ts';
import { storePath } from '../../src/auth/ssh-key-stores.ts';
import { addressListAdmits } from '../../src/auth/ssh-user-keys.ts';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import {
  encodeFailure,
  encodeInfoRequest,
  encodeKeyAcceptable,
} from '../../workers/ssh/userauth/wire/userauth-replies.ts';
import { parseInfoResponse, parseUserauthRequest } from '../../workers/ssh/userauth/wire/userauth-request.ts';
import { answersMessage, userauthRequest } from '../support/userauth-fixture.ts';

const METHODS = [
  'none',
  'password',
  'publickey',
  'publickey-hostbound-v00@openssh.com',
  'hostbased',
  'keyboard-interactive',
];
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => value.isWellFormed());
const name = fc.stringMatching(/^[a-z][a-z0-9@.-]{0,40}$/);
const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value));

/** Fields as a client writes them, and the method they are. */
const requests: fc.Arbitrary<readonly [Buffer, string, SshAuthMethod]> = fc
  .record({
    user: text,
    algorithm: name,
    blob: bytes,
    signature: bytes,
    secret: text,
    host: name,
    hostKey: bytes,
  })
  .chain(({ user, algorithm, blob, signature, secret, host, hostKey }) => {
    const copy = (value: Buffer): Uint8Array => new Uint8Array(value);
    const build = (
      method: string,
      fields: (writer: ByteWriter) => ByteWriter,
      expected: SshAuthMethod,
    ): readonly [Buffer, string, SshAuthMethod] => [userauthRequest(user, method, fields), user, expected];
    const key = { algorithm, blob: copy(blob) };
    return fc.constantFrom(
      build('none', (writer) => writer, { kind: 'none' }),
      build('password', (writer) => writer.bool(false).string(secret), {
        kind: 'password',
        password: secret,
      }),
      build('password', (writer) => writer.bool(true).string(secret).string(secret), {
        kind: 'password-change',
      }),
      build('publickey', (writer) => writer.bool(false).string(algorithm).string(blob), {
        kind: 'publickey-query',
        ...key,
        hostKeyBlob: null,
      }),
      build('publickey', (writer) => writer.bool(true).string(algorithm).string(blob).string(signature), {
        kind: 'publickey',
        ...key,
        signature: copy(signature),
        hostKeyBlob: null,
      }),
      build(
        'publickey-hostbound-v00@openssh.com',
        (writer) => writer.bool(true).string(algorithm).string(blob).string(hostKey).string(signature),
        { kind: 'publickey', ...key, signature: copy(signature), hostKeyBlob: copy(hostKey) },
      ),
      build(
        'hostbased',
        (writer) => writer.string(algorithm).string(blob).string(host).string(user).string(signature),
        { kind: 'hostbased', ...key, clientHost: host, clientUser: user, signature: copy(signature) },
      ),
      build('keyboard-interactive', (writer) => writer.string('').string('otp,pam'), {
        kind: 'keyboard-interactive',
        submethods: ['otp', 'pam'],
      }),
    );
  });

test('a request reads as it was written', () => {
  fc.assert(
    fc.property(requests, ([payload, user, method]) => {
      assert.deepEqual(parseUserauthRequest(payload), { user, service: 'ssh-connection', method });
    }),
  );
});

test('a request cut at any byte is malformed, never something else', () => {
  fc.assert(
    fc.property(requests, ([payload, , method]) => {
      for (let length = 0; length < payload.length; length += 1) {
        const cut = payload.subarray(0, length);
        try {
          const { kind } = parseUserauthRequest(cut).method;
          // The method's name itself may have been cut to nothing of ours.
          assert.ok(kind === 'malformed' || kind === 'unknown', `${method.kind} cut at ${length} is ${kind}`);
        } catch (error) {
          assert.ok(error instanceof ByteError);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('trailing bytes make a request malformed', () => {
  fc.assert(
    fc.property(requests, fc.uint8Array({ minLength: 1, maxLength: 20 }), ([payload], tail) => {
      const longer = Buffer.concat([payload, tail]);
      assert.equal(parseUserauthRequest(longer).method.kind, 'malformed');
    }),
  );
});

test('no bytes behind a method make the parser throw or keep a view of the packet', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...METHODS, 'constructor', '__proto__'),
      fc.uint8Array({ maxLength: 300 }),
      (method, tail) => {
        const payload = Buffer.concat([userauthRequest('user', method), tail]);
        const parsed = parseUserauthRequest(payload).method;
        for (const value of Object.values(parsed)) {
          if (value instanceof Uint8Array) assert.equal(value.byteLength, value.buffer.byteLength);
        }
      },
    ),
  );
});

test('answers read as they were written; no bytes give more than the packet holds', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 100 }), (answers) => {
      assert.deepEqual(parseInfoResponse(answersMessage(...answers)), answers);
    }),
  );
  assert.throws(() => parseInfoResponse(answersMessage(...Array.from({ length: 101 }, () => ''))), ByteError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => {
      try {
        assert.ok(parseInfoResponse(Buffer.concat([Buffer.from([61]), tail])).length <= 25);
      } catch (error) {
        assert.ok(error instanceof ByteError);
      }
    }),
  );
});

test('replies read as they are written', () => {
  fc.assert(
    fc.property(fc.array(name, { maxLength: 5 }), fc.boolean(), (methods, partial) => {
      const reader = new ByteReader(encodeFailure(methods, partial));
      assert.deepEqual([reader.u8(), reader.nameList(), reader.bool()], [51, methods, partial]);
      reader.end();
    }),
  );
  fc.assert(
    fc.property(name, bytes, (algorithm, blob) => {
      const reader = new ByteReader(encodeKeyAcceptable(algorithm, blob));
      assert.deepEqual([reader.u8(), reader.utf8(), [...reader.string()]], [60, algorithm, [...blob]]);
      reader.end();
    }),
  );
  fc.assert(
    fc.property(
      text,
      text,
      fc.array(fc.record({ text, echo: fc.boolean() }, { noNullPrototype: true }), { maxLength: 5 }),
      (title, hint, prompts) => {
        const reader = new ByteReader(encodeInfoRequest(title, hint, prompts));
        assert.deepEqual([reader.u8(), reader.utf8(), reader.utf8(), reader.utf8()], [60, title, hint, '']);
        const read = Array.from({ length: reader.u32() }, () => ({
          text: reader.utf8(),
          echo: reader.bool(),
        }));
        assert.deepEqual(read, prompts);
        reader.end();
      },
    ),
  );
});

test('no login name leads out of the directory of keys', () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.constantFrom('..', '.', '../x', 'a/../..', 'a\0b', '')), (user) => {
      const path = storePath('/keys/%u', user, '/home/x');
      if (path !== null) assert.match(path, /^\/keys\/[^/]+$/s);
    }),
  );
});

test('a `!` pattern that matches, or cannot be read, keeps the address out', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('*', '192.0.2.0/24', '192.0.2.9', '10.0.0.0/8')), (patterns) => {
      for (const negated of ['!192.0.2.9', '!192.0.2.0/24', '!*', '!nonsense/99']) {
        assert.equal(addressListAdmits([...patterns, negated], '192.0.2.9', 'host.example'), false);
      }
    }),
  );
});
