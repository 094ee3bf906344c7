/**
 * The server certificates of one virtual host, each with the path its clients will follow: through the certificates of
 * its own file, TLSCertificateChainFile and the CA files, in whatever order they stand there.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Settings } from '../src/config/server-config.ts';
import { isIssuedBy, isSelfIssued, issuerOf, MAX_PATH_LENGTH } from './certificate-chain.ts';
import { CertificateFileError, parseCertificates, type ParsedCertificate } from './certificate-files.ts';
import {
  authoritiesOf,
  certificateDirectives,
  fileBytes,
  keyPairOf,
  systemAnchors,
  type SecretFiles,
} from './tls-configuration.ts';

/** Where a certificate of a path was found. */
export type ChainSource = 'certificate file' | 'chain file' | 'CA files';

export interface ChainLink {
  readonly certificate: X509Certificate;
  readonly source: ChainSource;
}

export interface ServerChain {
  /** Leaf first; the system's store is asked for an issuer, but what it holds is not part of the path. */
  readonly path: readonly ChainLink[];
  /**
   * root: the path ends in a self-signed certificate. system: its last issuer is in the system's store. missing: the
   * issuer of its last certificate was found nowhere.
   */
  readonly ending: 'root' | 'system' | 'missing';
  /** The issuer of the path's last certificate, where the system's store has it. */
  readonly systemIssuer: X509Certificate | null;
}

export interface ServerCertificate {
  readonly directive: string;
  readonly path: string;
  readonly leaf: X509Certificate;
  /** Further certificates of the same file, in file order. */
  readonly sameFile: readonly X509Certificate[];
  readonly chain: ServerChain;
}

/** What a virtual host sends besides its leaves, and what belongs to none of them. */
export interface ServerCertificates {
  readonly certificates: readonly ServerCertificate[];
  /** TLSCertificateChainFile, in file order; empty also where the file cannot be read. */
  readonly chainFile: readonly X509Certificate[];
}

/** Throws CertificateFileError for a pair that cannot be used; the start-up check reports it in its own words. */
export function serverCertificates(
  settings: Settings,
  files: SecretFiles,
  pkcs12PassPhrases: ReadonlyMap<string, string>,
): ServerCertificates {
  const chainFile = readable(settings.tlsCertificateChainFile, files);
  const authorities = (authoritiesOf(settings, files) ?? []).map(({ certificate }) => certificate);
  const build = (
    leaf: X509Certificate,
    sameFile: readonly X509Certificate[],
    chain: readonly X509Certificate[],
  ): ServerChain =>
    buildServerChain(leaf, { sameFile, chainFile: chain, authorities, system: systemAnchors });
  const pairs = certificateDirectives(settings).map((row): ServerCertificate => {
    const pair = keyPairOf(row, files);
    const leaf = pair.leaf.certificate;
    const sameFile = pair.chain.map(({ certificate }) => certificate);
    return {
      directive: row.directive,
      path: row.certificatePath,
      leaf,
      sameFile,
      chain: build(leaf, sameFile, chainFile),
    };
  });
  const bundle = bundleCertificates(settings, files, pkcs12PassPhrases);
  const [leaf, ...sameFile] = bundle;
  if (leaf !== undefined && settings.tlsPKCS12File !== null) {
    const path = settings.tlsPKCS12File;
    // Node cannot add certificates to what a bundle sends; the report says so.
    pairs.push({ directive: 'TLSPKCS12File', path, leaf, sameFile, chain: build(leaf, sameFile, []) });
  }
  return { certificates: pairs, chainFile };
}

/** Follows issuers from the leaf upwards; signatures are checked on the way. */
export function buildServerChain(
  leaf: X509Certificate,
  from: {
    readonly sameFile: readonly X509Certificate[];
    readonly chainFile: readonly X509Certificate[];
    readonly authorities: readonly X509Certificate[];
    readonly system: () => readonly X509Certificate[];
  },
): ServerChain {
  const sources: readonly (readonly [ChainSource, readonly X509Certificate[]])[] = [
    ['certificate file', from.sameFile],
    ['chain file', from.chainFile],
    ['CA files', from.authorities],
  ];
  const candidates = sources.flatMap(([source, list]) =>
    list.map((certificate): ChainLink => ({ certificate, source })),
  );
  const path: ChainLink[] = [{ certificate: leaf, source: 'certificate file' }];
  let current = leaf;
  while (!isSelfIssued(current)) {
    const issuer = issuerOf(
      current,
      candidates.map(({ certificate }) => certificate),
    );
    const link = candidates.find(({ certificate }) => certificate === issuer);
    const isLoop = path.some(({ certificate }) => certificate.fingerprint256 === issuer?.fingerprint256);
    if (link === undefined || isLoop || path.length > MAX_PATH_LENGTH) {
      const systemIssuer = issuerOf(current, from.system()) ?? null;
      return { path, ending: systemIssuer === null ? 'missing' : 'system', systemIssuer };
    }
    path.push(link);
    current = link.certificate;
  }
  return { path, ending: 'root', systemIssuer: null };
}

/** Certificates that neither are part of one of these paths nor issued, directly or not, one of its members. */
export function unrelatedCertificates(
  extras: readonly X509Certificate[],
  chains: readonly ServerChain[],
): X509Certificate[] {
  const related = chains.flatMap(({ path }) => path.map(({ certificate }) => certificate));
  let left = extras.filter(
    (extra) => !related.some((known) => known.fingerprint256 === extra.fingerprint256),
  );
  for (;;) {
    const found = left.filter((extra) => related.some((known) => isIssuedBy(known, extra)));
    if (found.length === 0) return left;
    related.push(...found);
    left = left.filter((extra) => !found.includes(extra));
  }
}

/** What Node's native context tells beyond its documentation. */
interface NativeContext {
  getCertificate?: () => Buffer | null;
  getIssuer?: () => Buffer | null;
}

/** Node has no PKCS#12 parser of its own; a context that loaded the bundle knows its certificate and the issuer. */
function bundleCertificates(
  settings: Settings,
  files: SecretFiles,
  passPhrases: ReadonlyMap<string, string>,
): X509Certificate[] {
  const path = settings.tlsPKCS12File;
  if (path === null) return [];
  const passphrase = passPhrases.get(path);
  const buf = Buffer.from(fileBytes(files, path));
  const { context } = createSecureContext({
    pfx: [passphrase === undefined ? { buf } : { buf, passphrase }],
  });
  const native = context as NativeContext;
  return [native.getCertificate?.(), native.getIssuer?.()]
    .filter((der) => der !== undefined && der !== null)
    .map((der) => new X509Certificate(der));
}

/** A chain file that cannot be read is reported elsewhere and sends nothing. */
function readable(path: string | null, files: SecretFiles): X509Certificate[] {
  if (path === null) return [];
  try {
    return parseCertificates(fileBytes(files, path)).map(({ certificate }: ParsedCertificate) => certificate);
  } catch (error) {
    if (error instanceof CertificateFileError) return [];
    throw error;
  }
}
