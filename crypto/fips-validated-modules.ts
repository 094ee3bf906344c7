/**
 * Modules on NIST's list of validated modules that this server can load: OpenSSL FIPS providers. Facts of others, each
 * with where it was read; what could not be substantiated is not in the table. The list is the state of
 * `VALIDATED_MODULES_AS_OF`; the certificate's own page is the authority.
 */
import type { LoadedFipsModule } from './fips-module.ts';

/** The day the table was last checked against its sources. */
export const VALIDATED_MODULES_AS_OF = '2026-11-21';

export interface ValidatedModule {
  /** As the module itself says it (OSSL_PROVIDER_get_params "name"). */
  readonly name: string;
  /** As the module itself says it ("version"). */
  readonly version: string;
  readonly certificate: number;
  readonly standard: 'FIPS 140-2' | 'FIPS 140-3';
  /** Last day, or the day it moved to the historical list (YYYY-MM-DD); null where no source names it. */
  readonly expires: string | null;
  readonly sources: readonly string[];
}

const CERTIFICATE_PAGE =
  'https://csrc.nist.gov/projects/cryptographic-module-validation-program/certificate/';

/** NIST, FIPS 140-3 Transition Effort: all FIPS 140-2 certificates move to the historical list on this day. */
const END_OF_140_2 = '2026-09-22';
const END_OF_140_2_SOURCE = 'https://csrc.nist.gov/projects/fips-140-3-transition-effort';

export const VALIDATED_MODULES: readonly ValidatedModule[] = [
  {
    name: 'OpenSSL FIPS Provider',
    version: '3.1.2',
    certificate: 4985,
    standard: 'FIPS 140-3',
    expires: '2030-03-10',
    sources: [`${CERTIFICATE_PAGE}4985`, 'https://openssl-library.org/post/2025-03-11-fips-140-3/'],
  },
  ...['3.0.0', '3.0.8', '3.0.9'].map((version): ValidatedModule => ({
    name: 'OpenSSL FIPS Provider',
    version,
    certificate: 4282,
    standard: 'FIPS 140-2',
    expires: END_OF_140_2,
    sources: [
      `${CERTIFICATE_PAGE}4282`,
      END_OF_140_2_SOURCE,
      version === '3.0.9'
        ? 'https://github.com/openssl/web/pull/462'
        : 'https://github.com/openssl/web/pull/401',
    ],
  })),
  {
    name: 'Chainguard FIPS Provider for OpenSSL',
    version: '3.4.0',
    certificate: 5132,
    standard: 'FIPS 140-3',
    expires: null,
    sources: [
      `${CERTIFICATE_PAGE}5132`,
      'https://www.chainguard.dev/unchained/introducing-the-chainguard-fips-provider-for-openssl-3-4-0',
      'https://github.com/chainguard-sandbox/openssl-fips-test/pull/7',
      'https://github.com/chainguard-sandbox/openssl-fips-test/pull/13',
    ],
  },
  {
    name: 'Red Hat Enterprise Linux 9 - OpenSSL FIPS Provider',
    version: '3.0.7-395c1a240fbfffd8',
    certificate: 4857,
    standard: 'FIPS 140-3',
    expires: null,
    sources: [
      `${CERTIFICATE_PAGE}4857`,
      'https://sec-certs.org/fips/f1ef71e794551289/target.txt',
      'https://github.com/openshift/check-payload/pull/273',
    ],
  },
];

/** Builds known not to be validated, so that nobody has to guess. */
const KNOWN_UNVALIDATED: readonly { readonly text: RegExp; readonly because: string }[] = [
  {
    text: /debian/i,
    because:
      'this is Debian’s build (package openssl-provider-fips): for development, not a validated module',
  },
];

export type Validation =
  | { readonly kind: 'listed'; readonly entry: ValidatedModule }
  | { readonly kind: 'expired'; readonly entry: ValidatedModule }
  | { readonly kind: 'not listed'; readonly because: string };

/**
 * Whether a module of this name and version is on the list. `origin` is what is known about the file (the maker's text in
 * it, its package). A listed version is not yet a validated binary: it must also have been built and installed as its
 * Security Policy says, which no program can see.
 */
export function validationOf(module: LoadedFipsModule, origin: string, now: Date): Validation {
  const known = KNOWN_UNVALIDATED.find(({ text }) => text.test(`${module.buildInfo} ${origin}`));
  if (known !== undefined) return { kind: 'not listed', because: known.because };
  const entry = VALIDATED_MODULES.find(
    ({ name, version }) => name === module.name && version === module.version,
  );
  if (entry === undefined)
    return {
      kind: 'not listed',
      because: `no certificate is known here for '${module.name}' ${module.version} (list of ${VALIDATED_MODULES_AS_OF})`,
    };
  // A certificate counts to the end of its last day, wherever on earth.
  const end = entry.expires === null ? Infinity : Date.parse(`${entry.expires}T23:59:59-12:00`);
  return now.getTime() > end ? { kind: 'expired', entry } : { kind: 'listed', entry };
}

/** One sentence for a log or a report. */
export function validationText(validation: Validation): string {
  if (validation.kind === 'not listed') return `not validated: ${validation.because}`;
  const { certificate, standard, expires, version } = validation.entry;
  if (validation.kind === 'expired')
    return `version ${version} had ${standard} certificate #${certificate}, historical since ${expires}`;
  return (
    `version ${version} is on the list of validated modules: ${standard} certificate #${certificate}` +
    `${expires === null ? '' : `, active to ${expires}`} (for a build and installation as its Security Policy demands)`
  );
}
