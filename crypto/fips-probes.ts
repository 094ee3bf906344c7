/**
 * The proof that this thread computes with a FIPS module and with nothing else. `getFips()` proves nothing: without any
 * provider it says 1 and every primitive fails. So both sides are asked: what is approved works and gives the known
 * answer, what is not is refused. Run in the main thread and in every worker at its start.
 */
import {
  createCipheriv,
  createECDH,
  createHash,
  createHmac,
  generateKeyPairSync,
  getFips,
  scryptSync,
} from 'node:crypto';
import {
  fipsMode,
  hasServiceIndicators,
  loadedFipsModule,
  otherActiveProviders,
  type FipsMode,
} from './fips-module.ts';

/** What must happen; `recorded` is written down only, because modules differ and the profile decides. */
export type ProbeExpectation = 'works' | 'refused' | 'recorded';

export interface ProbeResult {
  readonly name: string;
  readonly expected: ProbeExpectation;
  readonly outcome: 'works' | 'refused' | 'wrong answer';
  readonly passed: boolean;
  /** Why this was expected of this module. */
  readonly because: string;
}

export interface ProbeReport {
  readonly mode: FipsMode;
  readonly passed: boolean;
  readonly results: readonly ProbeResult[];
}

/** A thread of a server in FIPS mode failed its probes; the message is for the operator. The server may not run on. */
export class FipsProbeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FipsProbeError';
  }
}

interface Probe {
  readonly name: string;
  readonly expected: (module: ProbedModule) => ProbeExpectation;
  readonly because: string;
  /** Throws when refused; false: it computed something else than it should. */
  readonly run: () => boolean;
}

interface ProbedModule {
  readonly version: string;
  readonly mode: FipsMode;
}

const works = (): ProbeExpectation => 'works';
const refused = (): ProbeExpectation => 'refused';
const GCM_TAG_BYTES = 16;

/** Every probe; exported for the table in the documentation and the tests. */
export const PROBES: readonly Probe[] = [
  {
    name: 'FIPS property query',
    expected: works,
    because: 'every algorithm is fetched with fips=yes',
    run: () => getFips() === 1,
  },
  {
    name: 'provider "fips" active',
    expected: works,
    because: 'without a module the property query refuses everything, which looks safe and is not FIPS mode',
    run: () => loadedFipsModule() !== null,
  },
  {
    name: 'no other provider of algorithms active',
    expected: works,
    because: 'only the module may compute; the provider "base" beside it reads and writes key files',
    run: () => otherActiveProviders().length === 0,
  },
  {
    name: 'SHA-256 known answer',
    expected: works,
    because: 'FIPS 180-4, the example of one block',
    run: () =>
      createHash('sha256').update('abc').digest('hex') ===
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  },
  {
    name: 'HMAC-SHA-256 known answer',
    expected: works,
    because: 'RFC 4231, test case 1',
    run: () =>
      createHmac('sha256', Buffer.alloc(20, 0x0b)).update('Hi There').digest('hex') ===
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  },
  {
    name: 'AES-256-GCM known answer',
    expected: works,
    because: 'the GCM specification, test case 14',
    run: aesGcmKnownAnswer,
  },
  {
    name: 'ECDH P-256 agreement',
    expected: works,
    because: 'SP 800-56A r3',
    run: ecdhAgrees,
  },
  {
    name: 'MD5',
    expected: refused,
    because: 'not an approved hash',
    run: () => createHash('md5').update('abc').digest().length > 0,
  },
  {
    name: 'ChaCha20-Poly1305',
    expected: refused,
    because: 'not an approved cipher',
    run: () =>
      createCipheriv('chacha20-poly1305', Buffer.alloc(32), Buffer.alloc(12), {
        authTagLength: GCM_TAG_BYTES,
      }).update('x').length > 0,
  },
  {
    name: 'scrypt',
    expected: refused,
    because: 'not an approved key derivation',
    run: () => scryptSync('a long enough password', Buffer.alloc(16), 16, { N: 2 }).length > 0,
  },
  {
    name: 'RSA-1024 key generation',
    expected: refused,
    because: 'SP 800-131A r2: at least 2048 bits',
    run: () => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.type === 'private',
  },
  {
    name: 'X25519',
    // Modules before 3.4 mark it fips=yes though it is not approved: there only the profile keeps it out.
    expected: ({ version }) => (hasServiceIndicators(version) ? 'refused' : 'recorded'),
    because: 'not in SP 800-56A r3; modules before 3.4 still offer it and the profile removes it',
    run: () => generateKeyPairSync('x25519').privateKey.type === 'private',
  },
  {
    name: 'Ed25519',
    expected: () => 'recorded',
    because: 'approved by FIPS 186-5; modules before 3.4 refuse it',
    run: () => generateKeyPairSync('ed25519').privateKey.type === 'private',
  },
  {
    name: 'HMAC key of 32 bits',
    expected: ({ mode }) => (mode === 'strict' ? 'refused' : 'recorded'),
    because: 'SP 800-131A r2: at least 112 bits; a service indicator, enforced in strict mode only',
    run: () => createHmac('sha256', Buffer.alloc(4, 1)).update('x').digest().length > 0,
  },
];

/** Runs every probe in this thread; some milliseconds. Never throws: what went wrong is in the report. */
export function runFipsProbes(): ProbeReport {
  const mode = fipsMode();
  const version = loadedFipsModule()?.version ?? 'none';
  return runProbes(PROBES, { mode, version });
}

/** The probes of a module with this version in this mode; for the tests of modules that are not there. */
export function runProbes(probes: readonly Probe[], module: ProbedModule): ProbeReport {
  const results = probes.map((probe) => resultOf(probe, module));
  return { mode: module.mode, passed: results.every((result) => result.passed), results };
}

/** `MD5 works and must be refused; ...`; empty when all passed. */
export function probeFailures(report: ProbeReport): string {
  return report.results
    .filter((result) => !result.passed)
    .map(({ name, outcome, expected }) =>
      expected === 'works'
        ? `${name}: ${outcome === 'refused' ? 'refused, must work' : 'wrong answer'}`
        : `${name}: works, must be refused`,
    )
    .join('; ');
}

function resultOf(probe: Probe, module: ProbedModule): ProbeResult {
  const expected = probe.expected(module);
  const outcome = outcomeOf(probe.run);
  const passed = expected === 'recorded' ? true : outcome === expected;
  return { name: probe.name, expected, outcome, passed, because: probe.because };
}

function outcomeOf(run: () => boolean): ProbeResult['outcome'] {
  try {
    return run() ? 'works' : 'wrong answer';
  } catch (error) {
    // The refusal is the answer; which of OpenSSL's many codes it carries differs per module.
    if (error instanceof Error) return 'refused';
    throw error;
  }
}

function aesGcmKnownAnswer(): boolean {
  const cipher = createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12), {
    authTagLength: GCM_TAG_BYTES,
  });
  const text = Buffer.concat([cipher.update(Buffer.alloc(16)), cipher.final()]).toString('hex');
  const tag = cipher.getAuthTag().toString('hex');
  return text === 'cea7403d4d606b6e074ec5d3baf39d18' && tag === 'd0d1c8a799996bf0265b98b5d48ab919';
}

function ecdhAgrees(): boolean {
  const [ours, theirs] = [createECDH('prime256v1'), createECDH('prime256v1')];
  const [ourKey, theirKey] = [ours.generateKeys(), theirs.generateKeys()];
  return ours.computeSecret(theirKey).equals(theirs.computeSecret(ourKey));
}
