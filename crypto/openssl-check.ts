/** Which OpenSSL this process was compiled against, which one it runs with, and which FIPS module that one uses. */
import { constants } from 'node:crypto';
import { loadedFipsModule } from './fips-module.ts';

/** OPENSSL_VERSION_NUMBER (0xMNN00PP0 since OpenSSL 3) as `3.5.8`. */
export function formatVersionNumber(versionNumber: number): string {
  const major = (versionNumber >>> 28) & 0xf;
  const minor = (versionNumber >>> 20) & 0xff;
  const patch = (versionNumber >>> 4) & 0xff;
  return `${major}.${minor}.${patch}`;
}

/** Version of the headers this runtime was compiled with. */
export function headerVersion(): string {
  return formatVersionNumber(constants['OPENSSL_VERSION_NUMBER' as keyof typeof constants] as number);
}

/** Version of the linked library, without vendor suffix. */
export function libraryVersion(): string {
  return process.versions.openssl?.replace(/[-+].*$/, '') ?? 'unknown';
}

/** What the versions of headers, library and FIPS module say together. */
export type VersionVerdict =
  | { readonly kind: 'same' }
  /** Start-up continues; `text` goes to the log. */
  | { readonly kind: 'warning'; readonly text: string }
  /** Other structures and calls are to be expected: nothing may run on it. */
  | { readonly kind: 'refused'; readonly text: string };

/**
 * Headers against library, in mod_tls' wording; then the library against the FIPS module. Another major version is
 * refused, another minor version or patch of the library warned of; a FIPS module may be of another minor version by
 * design (README-FIPS: a validated module with a newer library), so that is said and no more.
 * @param module version of the active FIPS module, null without one
 */
export function checkVersions(
  headers: string = headerVersion(),
  library: string = libraryVersion(),
  module: string | null = loadedFipsModule()?.version ?? null,
): VersionVerdict {
  const mismatch = versionMismatchLine(headers, library);
  const modules = module === null ? null : moduleMismatchLine(library, module);
  const text = [mismatch, modules].filter((line) => line !== null).join('; ');
  if (text === '') return { kind: 'same' };
  const majors = new Set([headers, library, module ?? library].map(majorOf));
  return { kind: majors.size > 1 ? 'refused' : 'warning', text };
}

/**
 * The informational line of mod_tls where both differ (a runtime linked dynamically against another release), or
 * null.
 */
export function versionMismatchLine(
  headers: string = headerVersion(),
  library: string = libraryVersion(),
): string | null {
  if (headers === library) return null;
  return (
    `compiled using OpenSSL version 'OpenSSL ${headers}' headers, ` +
    `but linked to OpenSSL version 'OpenSSL ${library}' library`
  );
}

/** The same of the FIPS module; null where major and minor version are the library's: patches are meant to mix. */
function moduleMismatchLine(library: string, module: string): string | null {
  if (minorOf(library) === minorOf(module)) return null;
  return (
    `linked to OpenSSL version 'OpenSSL ${library}' library, ` +
    `but using OpenSSL version 'OpenSSL ${module}' FIPS provider`
  );
}

function majorOf(version: string): string {
  return version.split('.', 1)[0] ?? version;
}

function minorOf(version: string): string {
  return version.split('.', 2).join('.');
}
