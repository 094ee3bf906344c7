import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TlsRequired } from '../../../src/config/server-config.ts';
import {
  allowsClearControl,
  allowsClearData,
  allowsPrivateData,
  judgeCommand,
  type PolicyCommand,
  type PolicyState,
} from '../../../workers/ftp/tls/required-policy.ts';

const values: Record<string, TlsRequired> = {
  off: { control: false, data: 'optional', auth: false },
  on: { control: true, data: 'required', auth: true },
  ctrl: { control: true, data: 'optional', auth: true },
  'ctrl+!data': { control: true, data: 'forbidden', auth: true },
  data: { control: false, data: 'required', auth: false },
  '!data': { control: false, data: 'forbidden', auth: false },
  auth: { control: false, data: 'optional', auth: true },
  'auth+data': { control: false, data: 'required', auth: true },
  'auth+!data': { control: false, data: 'forbidden', auth: true },
};

/** value: clear USER, clear PWD, clear LIST, LIST in TLS without PROT P, after PROT P, PROT C, PROT P, CCC. */
const table: readonly (readonly [string, number, number, number, number, number, number, number, number])[] =
  [
    ['off', 0, 0, 0, 0, 0, 200, 200, 200],
    ['on', 550, 550, 550, 522, 0, 534, 200, 534],
    ['ctrl', 550, 550, 550, 0, 0, 200, 200, 534],
    ['ctrl+!data', 550, 550, 550, 0, 0, 200, 534, 534],
    ['data', 0, 0, 522, 522, 0, 534, 200, 200],
    ['!data', 0, 0, 0, 0, 0, 200, 534, 200],
    ['auth', 550, 0, 0, 0, 0, 200, 200, 200],
    ['auth+data', 550, 0, 522, 522, 0, 534, 200, 200],
    ['auth+!data', 550, 0, 0, 0, 0, 200, 534, 200],
  ];

const user: PolicyCommand = { allowedInClear: false, isLoginCommand: true, usesDataConnection: false };
const pwd: PolicyCommand = { allowedInClear: false, isLoginCommand: false, usesDataConnection: false };
const list: PolicyCommand = { allowedInClear: false, isLoginCommand: false, usesDataConnection: true };
const feat: PolicyCommand = { allowedInClear: true, isLoginCommand: false, usesDataConnection: false };

function code(command: PolicyCommand | null, required: TlsRequired, more: Partial<PolicyState> = {}): number {
  const verdict = judgeCommand(command, {
    required,
    directoryData: 'optional',
    controlProtected: false,
    dataPrivate: false,
    postponed: false,
    ...more,
  });
  switch (verdict) {
    case 'allowed':
      return 0;
    case 'needs-tls':
    case 'needs-tls-for-login':
      return 550;
    case 'needs-private-data':
    case 'needs-private-data-here':
      return 522;
  }
}

for (const [value, clearUser, clearPwd, clearList, tlsList, privateList, protC, protP, ccc] of table) {
  test(`TLSRequired ${value} answers as the acceptance table says`, () => {
    const required = values[value];
    assert.ok(required);
    assert.equal(code(feat, required), 0, 'FEAT in clear');
    assert.equal(code(user, required), clearUser, 'USER in clear');
    assert.equal(code(pwd, required), clearPwd, 'PWD in clear');
    assert.equal(code(null, required), clearPwd, 'unknown verb in clear');
    assert.equal(code(list, required), clearList, 'LIST in clear');
    assert.equal(code(list, required, { controlProtected: true }), tlsList, 'LIST without PROT P');
    assert.equal(
      code(list, required, { controlProtected: true, dataPrivate: true }),
      privateList,
      'LIST after PROT P',
    );
    assert.equal(code(user, required, { controlProtected: true }), 0, 'USER under TLS');
    assert.equal(allowsClearData(required) ? 200 : 534, protC, 'PROT C');
    assert.equal(allowsPrivateData(required) ? 200 : 534, protP, 'PROT P');
    assert.equal(allowsClearControl(required) ? 200 : 534, ccc, 'CCC');
  });
}

test('AllowPerUser lets login commands pass in clear until the user is known', () => {
  const { on } = values;
  assert.ok(on);
  assert.equal(code(user, on, { postponed: true }), 0);
  assert.equal(code(pwd, on, { postponed: false }), 550);
});

test('a directory can add the data requirement but not remove the server level one', () => {
  const { off, data } = values;
  assert.ok(off && data);
  assert.equal(code(list, off, { controlProtected: true, directoryData: 'required' }), 522);
  assert.equal(code(list, data, { controlProtected: true, directoryData: 'forbidden' }), 522);
  assert.equal(code(pwd, off, { controlProtected: true, directoryData: 'required' }), 0);
});
