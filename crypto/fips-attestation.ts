/** What an auditor asks for, as data: module, versions, mode, probes, what is offered, and what lies outside the module. */
import { headerVersion, libraryVersion } from './openssl-check.ts';
import { fipsMode, loadedFipsModule, type FipsMode, type LoadedFipsModule } from './fips-module.ts';
import { mappedModulePath, originOf } from './fips-module-config.ts';
import { runFipsProbes, type ProbeReport } from './fips-probes.ts';
import {
  VALIDATED_MODULES_AS_OF,
  validationOf,
  validationText,
  type Validation,
} from './fips-validated-modules.ts';
import { activeProfile } from './profile.ts';
import { kdfSource } from './ssh/key-derivation.ts';

/** The module's file as it was checked at this start. */
export interface AttestedFile {
  readonly path: string;
  readonly sha256: string;
  readonly mac: string;
  /** When the configuration was made (ISO 8601). */
  readonly installed: string;
}

export interface Attestation {
  /** ISO 8601. */
  readonly made: string;
  readonly mode: FipsMode;
  readonly module: (LoadedFipsModule & AttestedFile & { readonly origin: string }) | null;
  /** Known-answer tests, run again for this report in a process of their own. */
  readonly selfTest: 'passed' | { readonly failed: string };
  readonly validation: Validation | null;
  readonly validationText: string;
  readonly validatedModulesAsOf: string;
  readonly openssl: { readonly headers: string; readonly library: string };
  readonly node: string;
  readonly probes: ProbeReport;
  readonly tls: AttestedTls;
  /** By kind: key exchanges, host keys, public keys, ciphers, MACs, compression. */
  readonly ssh: Readonly<Record<string, readonly string[]>>;
  /** Whose SSHKDF makes the keys of SSH: the module's, or this server's own from the module's hashes. */
  readonly sshKeyDerivation: 'module' | 'own';
  readonly outsideTheModule: readonly string[];
}

export interface AttestedTls {
  readonly protocols: readonly string[];
  /** Of TLS 1.2. */
  readonly ciphers: readonly string[];
  /** Of TLS 1.3. */
  readonly suites: readonly string[];
  readonly groups: readonly string[];
  /** What a configuration may name besides (TLSCipherSuite, TLSECDHCurve). */
  readonly byConfiguration: { readonly ciphers: readonly string[]; readonly groups: readonly string[] };
  readonly extendedMasterSecret: boolean;
}

/** What this server computes, or decides, without the module. Part of every report; kept honest by review. */
const OUTSIDE_THE_MODULE: readonly string[] = [
  'TLS and SSH themselves (state machines, parsing, certificate validation): only their primitives come from the module.',
  'Nonces of AES-GCM in SSH (RFC 5647): counted here from the derived keys; the module gets them from outside. In TLS, libssl makes them.',
  'Hybrid key exchanges: ML-KEM and ECDH come from the module, their combination is made by libssl and, in SSH, here.',
  'Stored password hashes: sha256-crypt and sha512-crypt are constructions that are not approved, and libcrypt is not the module. PBKDF2-HMAC-SHA-256 is approved and computed in the module.',
  'The operating system’s entropy, which seeds the module’s random generators; the module’s Security Policy says what it must be.',
  'Pass phrases of OpenSSH private key files (bcrypt).',
  'Commands this server runs (TLSPassPhraseProvider and the like): processes of their own, not put in FIPS mode by this server.',
];

/** SP 800-135, section 5.2, wants a validated implementation; Node has no call for one, FFI may reach the module's. */
const OWN_SSH_KDF =
  'SSH key derivation (RFC 4253, section 7.2; SP 800-135): put together here from the module’s hashes, because the module’s SSHKDF cannot be reached.';

/** The report of this process. `selfTest` and `file` come from the caller, which can start processes and read files. */
export function attest(file: AttestedFile | null, selfTest: Attestation['selfTest'], now: Date): Attestation {
  const loaded = loadedFipsModule();
  const origin = file === null ? '' : originOf(file.path);
  const sshKeyDerivation = loaded !== null && kdfSource() === 'module' ? 'module' : 'own';
  const validation = loaded === null ? null : validationOf(loaded, origin, now);
  return {
    made: now.toISOString(),
    mode: fipsMode(),
    module: loaded === null || file === null ? null : { ...loaded, ...file, origin },
    selfTest,
    validation,
    validationText: validation === null ? 'no module is active' : validationText(validation),
    validatedModulesAsOf: VALIDATED_MODULES_AS_OF,
    openssl: { headers: headerVersion(), library: libraryVersion() },
    node: process.versions.node,
    probes: runFipsProbes(),
    tls: offeredTls(),
    ssh: offeredSsh(),
    sshKeyDerivation,
    outsideTheModule:
      sshKeyDerivation === 'module' ? OUTSIDE_THE_MODULE : [OWN_SSH_KDF, ...OUTSIDE_THE_MODULE],
  };
}

function offeredTls(): AttestedTls {
  const { tls } = activeProfile();
  const ciphers = splitList(tls.ciphers);
  const groups = splitList(tls.groups);
  return {
    protocols: tls.protocols,
    ciphers,
    suites: tls.suites === null ? ['the library’s own'] : splitList(tls.suites),
    groups,
    byConfiguration: {
      ciphers: (tls.allowedCiphers ?? []).filter((name) => !ciphers.includes(name)),
      groups: [...new Set(tls.allowedGroups?.values())].filter((name) => !groups.includes(name)),
    },
    extendedMasterSecret: tls.requiresExtendedMasterSecret,
  };
}

/** `A:B` -> A, B. */
function splitList(text: string): readonly string[] {
  return text.split(':').filter((part) => part !== '');
}

function offeredSsh(): Attestation['ssh'] {
  const { keyExchanges, hostKeys, publicKeys, ciphers, macs, compression } = activeProfile().ssh;
  const lists = { keyExchanges, hostKeys, publicKeys, ciphers, macs, compression };
  return Object.fromEntries(Object.entries(lists).map(([kind, list]) => [kind, list.default]));
}

/** True when nothing in the report speaks against running in FIPS mode. Being validated is not part of it. */
export function isSound(attestation: Attestation): boolean {
  return (
    attestation.mode !== 'off' &&
    attestation.module !== null &&
    attestation.selfTest === 'passed' &&
    attestation.probes.passed
  );
}

/** One line for the server log: what the threads that serve have proven. */
export function fipsLogLine(sessionWorkers: number, now: Date): string {
  const module = loadedFipsModule();
  if (module === null) return 'FIPS mode: no module is active';
  const validation = validationOf(module, originOf(mappedModulePath() ?? ''), now);
  return (
    `FIPS mode (${fipsMode()}) with module '${module.name}' ${module.version}; probes passed in the main thread, ` +
    `${sessionWorkers} session workers and the password worker; ${validationText(validation)}`
  );
}

/** The report for people. */
export function attestationText(report: Attestation): string {
  const { module, openssl, tls } = report;
  const lines = [
    `FIPS attestation of ${report.made}`,
    '',
    `Mode:              ${report.mode}`,
    ...(module === null
      ? ['Module:            none active']
      : [
          `Module:            ${module.name} ${module.version} (build info: ${module.buildInfo})`,
          `  file:            ${module.path}`,
          ...(module.origin === '' ? [] : [`  origin:          ${module.origin}`]),
          `  SHA-256:         ${module.sha256}`,
          `  MAC:             ${module.mac}`,
          `  installed:       ${module.installed}`,
        ]),
    `  self-test:       ${report.selfTest === 'passed' ? 'passed' : `FAILED: ${report.selfTest.failed}`}`,
    `  validation:      ${report.validationText}`,
    `  list of:         ${report.validatedModulesAsOf}`,
    `OpenSSL:           headers ${openssl.headers}, library ${openssl.library}`,
    `Node.js:           ${report.node}`,
    '',
    `Probes:            ${report.probes.passed ? 'all passed' : 'FAILED'}`,
    ...report.probes.results.map(
      ({ name, outcome, expected, passed }) =>
        `  ${passed ? 'ok    ' : 'FAILED'} ${name}: ${outcome}${expected === 'recorded' ? ' (recorded)' : ''}`,
    ),
    '',
    'TLS offered:',
    `  protocols:       ${tls.protocols.join(', ')}`,
    `  TLS 1.3 suites:  ${tls.suites.join(', ')}`,
    `  TLS 1.2 ciphers: ${tls.ciphers.join(', ')}`,
    `  groups:          ${tls.groups.join(', ')}`,
    `  where a configuration names them: ${[...tls.byConfiguration.ciphers, ...tls.byConfiguration.groups].join(', ')}`,
    `  extended master secret in TLS 1.2: ${tls.extendedMasterSecret ? 'required' : 'not required'}`,
    'SSH offered:',
    ...Object.entries(report.ssh).map(([kind, names]) => `  ${kind}: ${names.join(', ')}`),
    `  key derivation:  ${report.sshKeyDerivation === 'module' ? 'SSHKDF of the module' : 'from the module’s hashes'}`,
    '',
    'Outside the module:',
    ...report.outsideTheModule.map((text) => `  - ${text}`),
  ];
  return `${lines.join('\n')}\n`;
}
