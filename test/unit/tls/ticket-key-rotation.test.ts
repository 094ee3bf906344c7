import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SETTINGS } from '../../../src/config/default-settings.ts';
import { tlsServerSide, type TlsServerSide } from '../../../workers/ftp/tls/context-cache.ts';
import { certificateTrees } from '../../support/certificates.ts';
import { loadTlsConfig } from '../../support/tls-server.ts';

const trees = certificateTrees();

test('TLSSessionTicketKeys: a new key after age, and only the newest count of them are kept', async (t) => {
  const { config } = await loadTlsConfig(
    `Port 2121\nTLSSessionTicketKeys age 60 count 2\nTLSEngine on\nTLSECCertificateFile ${trees.certAEc.combined}\n`,
  );
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const retired: TlsServerSide[] = [];
  const side = (): TlsServerSide => {
    const result = tlsServerSide(config, { ...DEFAULT_SETTINGS, ...config.virtualHosts[0]!.settings });
    assert.ok(result.ok);
    t.mock.method(result.side.contexts, 'retireTicketKey', () => void retired.push(result.side));
    return result.side;
  };
  const first = side();
  t.mock.timers.tick(59_000);
  assert.equal(side(), first);
  t.mock.timers.tick(1_000);
  const second = side();
  assert.notEqual(second, first);
  assert.deepEqual(retired, [], 'running sessions of the first key still resume');
  t.mock.timers.tick(60_000);
  assert.notEqual(side(), second);
  assert.equal(retired.length, 1);
  assert.equal(retired[0], first);
});
