/** Which OpenSSL this process was compiled against and which one it runs with. */
import { constants } from 'node:crypto';

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

/**
 * The informational line of mod_tls where both differ (a runtime linked dynamically against another release), or
 * null. Start-up continues either way.
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
