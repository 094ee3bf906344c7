/**
 * From a virtual host's settings and the bytes main read for them to what a TLS context needs. Start-up checks and
 * session actors use the same code, so what passed at start works in a session.
 */
import { X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { Settings } from '../src/config/server-config.ts';
import { outgoingChain } from './certificate-chain.ts';
import {
  CertificateFileError,
  loadKeyPair,
  parseCertificates,
  parseDhParameters,
  parseRevocationLists,
  type DhParameters,
  type KeyAlgorithm,
  type KeyPair,
  type ParsedCertificate,
} from './certificate-files.ts';
import { activeProfile, type TlsVersionName } from './profile.ts';
import { usableVersions, type TlsContextOptions } from './tls-context.ts';

export type SecretFiles = ReadonlyMap<string, Uint8Array>;

/** Seconds a session may be resumed: mod_tls's own default (SSL_CTX_set_timeout), used where nothing is configured. */
export const DEFAULT_SESSION_LIFETIME = 15_840;

/** Everything one certificate configuration gives. */
export interface TlsMaterial {
  readonly contextOptions: TlsContextOptions;
  /** Trust anchors for client certificates; null: the system's, loaded when first needed. */
  readonly clientAnchors: readonly X509Certificate[] | null;
  readonly revocationLists: readonly Uint8Array[];
  /** Fingerprint-bearing leaf certificates, RSA before EC before DSA. */
  readonly leaves: readonly X509Certificate[];
  /** Lines for the TLSLog: what was added to the chain, or why not. */
  readonly notes: readonly string[];
}

/** One certificate directive of a virtual host. */
export interface CertificateDirective {
  readonly algorithm: KeyAlgorithm;
  readonly directive: 'TLSRSACertificateFile' | 'TLSECCertificateFile' | 'TLSDSACertificateFile';
  readonly certificatePath: string;
  /** The certificate's own file where no key directive names another. */
  readonly keyPath: string;
}

/** The configured certificate files, in the order mod_tls loads them. */
export function certificateDirectives(settings: Settings): CertificateDirective[] {
  const rows = [
    ['RSA', 'TLSRSACertificateFile', settings.tlsRSACertificateFile, settings.tlsRSACertificateKeyFile],
    ['EC', 'TLSECCertificateFile', settings.tlsECCertificateFile, settings.tlsECCertificateKeyFile],
    ['DSA', 'TLSDSACertificateFile', settings.tlsDSACertificateFile, settings.tlsDSACertificateKeyFile],
  ] as const;
  return rows.flatMap(([algorithm, directive, certificatePath, keyPath]) =>
    certificatePath === null
      ? []
      : [{ algorithm, directive, certificatePath, keyPath: keyPath ?? certificatePath }],
  );
}

/** Texts of mod_tls for what is missing. */
export const NO_CERTIFICATE_LINE =
  'no TLSRSACertificateFile, TLSDSACertificateFile, TLSECCertificateFile or TLSPKCS12File configured; ' +
  'unable to handle SSL/TLS connections';

/** True when AUTH can be answered with 234: at least one of the four certificate directives is present. */
export function hasCertificate(settings: Settings): boolean {
  return certificateDirectives(settings).length > 0 || settings.tlsPKCS12File !== null;
}

/**
 * Paths main must read for these settings before it gives up root. Directories of CAs and CRLs are expanded; one that
 * cannot be listed throws the file system's error.
 */
export function tlsFilesOf(settings: Settings): string[] {
  if (!settings.tlsEngine) return [];
  const certificates = certificateDirectives(settings).flatMap((row) => [row.certificatePath, row.keyPath]);
  const others = [
    settings.tlsPKCS12File,
    settings.tlsCertificateChainFile,
    settings.tlsCACertificateFile,
    settings.tlsCARevocationFile,
    ...settings.tlsDHParamFile,
    ...settings.tlsPreSharedKey.map(({ path }) => path),
  ].filter((path) => path !== null);
  const directories = [settings.tlsCACertificatePath, settings.tlsCARevocationPath].filter(
    (path) => path !== null,
  );
  return [...new Set([...certificates, ...others, ...directories.flatMap(filesIn)])];
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(directory, entry.name))
    .sort();
}

/** Bytes of a configured file. Throws CertificateFileError when main could not read it. */
export function fileBytes(files: SecretFiles, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw new CertificateFileError('unreadable', 'No such file or directory');
  return bytes;
}

/** The pair of one directive, errors without the path (the caller knows it). */
export function keyPairOf(row: CertificateDirective, files: SecretFiles): KeyPair {
  return loadKeyPair({
    algorithm: row.algorithm,
    certificateBytes: fileBytes(files, row.certificatePath),
    keyBytes: fileBytes(files, row.keyPath),
  });
}

/** Builds the material. Throws CertificateFileError (a file) or RangeError (no usable protocol version). */
export function tlsMaterialOf(
  settings: Settings,
  files: SecretFiles,
  pkcs12PassPhrases: ReadonlyMap<string, string> = new Map(),
): TlsMaterial {
  const notes: string[] = [];
  const chainFile = chainFileOf(settings, files, notes);
  const pairs = certificateDirectives(settings).map((row) => keyPairOf(row, files));
  let added = 0;
  const identities = pairs.map((pair) => {
    const chain = outgoingChain(pair.leaf, pair.chain, chainFile);
    added = Math.max(added, chain.added);
    return { certificatePem: chain.pem, keyPem: pair.keyPem };
  });
  if (chainFile.length > 0) {
    notes.push(
      `added ${added} certs from '${settings.tlsCertificateChainFile}' to SSL_CTX certificate chain`,
    );
  }
  const anchors = authoritiesOf(settings, files);
  const weakSecurity = settings.tlsOptions.includes('AllowWeakSecurity');
  return {
    contextOptions: {
      identities,
      pkcs12: pkcs12Of(settings, files, pkcs12PassPhrases),
      clientAuthorities: (anchors ?? []).map((anchor) => anchor.pem),
      versions: offeredVersions(settings),
      cipherList: settings.tlsCipherSuite,
      cipherSuites13: settings.tlsCipherSuite13,
      serverPreference: settings.tlsServerCipherPreference,
      groups: groupsOf(settings),
      dhParameters: chooseDhParameters(settings, files, pairs),
      lifetimeSeconds: sessionLifetime(settings),
      weakSecurity,
    },
    clientAnchors: anchors?.map((anchor) => anchor.certificate) ?? null,
    revocationLists: revocationListsOf(settings, files),
    leaves: pairs.map((pair) => pair.leaf.certificate),
    notes,
  };
}

/**
 * Versions a context is made for. Where only weak ones are listed without AllowWeakSecurity they stay listed, and
 * the library refuses every client with a protocol error: never a silent upgrade (the start-up warning says so).
 */
export function offeredVersions(settings: Settings): TlsVersionName[] {
  const weak = settings.tlsOptions.includes('AllowWeakSecurity');
  const usable = usableVersions(settings.tlsProtocol, weak);
  return usable.length > 0 ? usable : usableVersions(settings.tlsProtocol, true);
}

/** TLSSessionCache as seconds. */
export function sessionLifetime(settings: Settings): number {
  return settings.tlsSessionCache.kind === 'internal'
    ? settings.tlsSessionCache.lifetimeSeconds
    : DEFAULT_SESSION_LIFETIME;
}

/** Anchors of the system's store, for verification without any CA directive. */
export function systemAnchors(): X509Certificate[] {
  systemStore ??= getCACertificates('system').map((pem) => new X509Certificate(pem));
  return systemStore;
}

let systemStore: X509Certificate[] | null = null;

function chainFileOf(settings: Settings, files: SecretFiles, notes: string[]): ParsedCertificate[] {
  const path = settings.tlsCertificateChainFile;
  if (path === null) return [];
  try {
    return parseCertificates(fileBytes(files, path));
  } catch (error) {
    if (!(error instanceof CertificateFileError)) throw error;
    notes.push(`unable to read certificate chain '${path}': ${error.message}`);
    return [];
  }
}

/** Certificates of TLSCACertificateFile and TLSCACertificatePath, each once; null where neither is configured. */
export function authoritiesOf(settings: Settings, files: SecretFiles): ParsedCertificate[] | null {
  const { tlsCACertificateFile: file, tlsCACertificatePath: directory } = settings;
  if (file === null && directory === null) return null;
  const bundled = file === null ? [] : parseCertificates(fileBytes(files, file));
  const seen = new Set<string>();
  return [...bundled, ...certificatesUnder(directory, files)].filter(({ certificate }) => {
    if (seen.has(certificate.fingerprint256)) return false;
    seen.add(certificate.fingerprint256);
    return true;
  });
}

/** A directory may hold other things than certificates; those files contribute nothing. */
function certificatesUnder(directory: string | null, files: SecretFiles): ParsedCertificate[] {
  return filesUnder(directory, files).flatMap((bytes) => {
    try {
      return parseCertificates(bytes);
    } catch (error) {
      if (error instanceof CertificateFileError) return [];
      throw error;
    }
  });
}

/** CRLs of TLSCARevocationFile and TLSCARevocationPath (DER). */
export function revocationListsOf(settings: Settings, files: SecretFiles): Uint8Array[] {
  const file = settings.tlsCARevocationFile;
  const bundled = file === null ? [] : parseRevocationLists(fileBytes(files, file));
  const others = filesUnder(settings.tlsCARevocationPath, files).flatMap((bytes) => {
    try {
      return parseRevocationLists(bytes);
    } catch (error) {
      if (error instanceof CertificateFileError) return [];
      throw error;
    }
  });
  return [...bundled, ...others];
}

function filesUnder(directory: string | null, files: SecretFiles): Uint8Array[] {
  if (directory === null) return [];
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  return [...files].filter(([path]) => path.startsWith(prefix)).map(([, bytes]) => bytes);
}

function pkcs12Of(
  settings: Settings,
  files: SecretFiles,
  passPhrases: ReadonlyMap<string, string>,
): NonNullable<TlsContextOptions['pkcs12']> | null {
  const path = settings.tlsPKCS12File;
  return path === null ? null : { bytes: fileBytes(files, path), passPhrase: passPhrases.get(path) ?? null };
}

/** `auto` and no directive leave the choice to the library; NoAutoECDH then means the documented single curve. */
function groupsOf(settings: Settings): string | null {
  const configured = settings.tlsECDHCurve;
  if (configured !== null && configured.toLowerCase() !== 'auto') return configured;
  return settings.tlsOptions.includes('NoAutoECDH') ? 'prime256v1' : null;
}

/** The smallest parameters that are at least as long as the RSA key, else the longest; too short ones do not count. */
function chooseDhParameters(
  settings: Settings,
  files: SecretFiles,
  pairs: readonly KeyPair[],
): string | null {
  const weak = settings.tlsOptions.includes('AllowWeakDH');
  const minimum = weak ? 0 : activeProfile().tls.minimumDhBits;
  const all = settings.tlsDHParamFile.flatMap((path) => parseDhParameters(fileBytes(files, path)));
  const candidates = all.filter((parameters) => parameters.bits >= minimum).sort(byBits);
  const rsa = pairs.find((pair) => pair.algorithm === 'RSA');
  const keyBits = rsa?.leaf.certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? minimum;
  return (candidates.find((parameters) => parameters.bits >= keyBits) ?? candidates.at(-1))?.pem ?? null;
}

function byBits(a: DhParameters, b: DhParameters): number {
  return a.bits - b.bits;
}
