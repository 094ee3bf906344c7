/** Which algorithms an OpenSSL FIPS provider of a given version can be asked for. */

/** Features that came with a version of OpenSSL's FIPS provider. */
export interface FipsFeatures {
  /** FIPS 186-5 signatures are approved algorithms of the module from 3.4 on (openssl #22112); 3.1.2 refuses them. */
  readonly edDsa: boolean;
  /** FIPS 203 from 3.5 on. */
  readonly mlKem: boolean;
}

/**
 * What a provider of that version has. A version that cannot be read has neither: fewer algorithms, never more.
 * @param version as OSSL_PROVIDER_get_params gives it, for example `3.1.2`
 */
export function fipsFeatures(version: string | null): FipsFeatures {
  const match = /^(\d+)\.(\d+)/.exec(version ?? '');
  if (match === null) return { edDsa: false, mlKem: false };
  const [major, minor] = [Number(match[1]), Number(match[2])];
  const since = (wanted: number): boolean => major > 3 || (major === 3 && minor >= wanted);
  return { edDsa: since(4), mlKem: since(5) };
}
