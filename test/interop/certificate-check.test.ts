import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { certificateTrees } from '../support/certificates.ts';
import { baseTls, seedConfig, tryConfig } from '../support/seed-server.ts';

const trees = certificateTrees();
const directory = mkdtempSync(join(tmpdir(), 'lockgate-check-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test(
  'lockgate check tells what it found in certificates and warns about what clients refuse',
  { timeout: 60_000 },
  async () => {
    const text = seedConfig({
      whole: baseTls({ TLSCertificateChainFile: trees.chainFile }),
      broken: baseTls({ TLSCertificateChainFile: trees.clientAuthorities }),
    });
    const { code, stdout } = await tryConfig(directory, text, ['check']);
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /^note: .*TLSRSACertificateFile '.*certA\.pem': key matches; RSA 2048 bits, .* days left; chain /m,
    );
    assert.match(stdout, /^warning: .*its issuer '\/O=Tests\/CN=MyServerCA' is in none of the files/m);
    assert.match(
      stdout,
      /^warning: .*certificate '\/O=Tests\/CN=TheirClientCA' has nothing to do with the server/m,
    );
    assert.match(stdout, /The server starts with this configuration/);
  },
);

test(
  'lockgate check refuses the certificate of an authority where one of the server belongs',
  { timeout: 60_000 },
  async () => {
    const text = seedConfig({
      host: baseTls({
        TLSRSACertificateFile: trees.myServerCa.certificate,
        TLSRSACertificateKeyFile: trees.certA.key,
      }),
    });
    const { code, stdout } = await tryConfig(directory, text, ['check']);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /error: TLSRSACertificateFile: certificate '.*': expected RSA certificate, found EC/,
    );
  },
);
