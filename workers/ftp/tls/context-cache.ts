/** TLS material and contexts of this thread: parsed once per configuration version and set of TLS settings. */
import type { X509Certificate } from 'node:crypto';
import { CertificateFileError } from '../../../crypto/certificate-files.ts';
import type { TlsVersionName } from '../../../crypto/profile.ts';
import {
  hasCertificate,
  sessionLifetime,
  systemAnchors,
  tlsMaterialOf,
  type TlsMaterial,
} from '../../../crypto/tls-configuration.ts';
import { TlsContextSet } from '../../../crypto/tls-context.ts';
import type { ServerConfig, Settings } from '../../../src/config/server-config.ts';

/** What a handshake needs of one virtual host. */
export interface TlsServerSide {
  readonly contexts: TlsContextSet;
  readonly versions: readonly TlsVersionName[];
  readonly lifetimeSeconds: number;
  readonly leaves: readonly X509Certificate[];
  readonly revocationLists: readonly Uint8Array[];
  clientAnchors(): readonly X509Certificate[];
}

export type TlsServerSideResult =
  | {
      readonly ok: true;
      readonly side: TlsServerSide;
      /** Lines of the first use, else empty. */ readonly notes: readonly string[];
    }
  /** No certificate, or files that cannot be used (the start-up check reported them): 431. */
  | { readonly ok: false; readonly notes: readonly string[] };

/** Ticket keys live as long as their context set; mod_tls rotates after 12 hours. */
const MAX_CONTEXT_AGE_MS = 12 * 3_600_000;
/** Conditional sections can vary TLS settings per session; more variants than this start over. */
const MAX_VARIANTS = 64;

const cache = new WeakMap<ServerConfig, Map<string, TlsServerSide>>();

/** Contexts for these settings; expensive (about 0.3 ms) the first time only. */
export function tlsServerSide(config: ServerConfig, settings: Settings): TlsServerSideResult {
  if (!hasCertificate(settings)) return { ok: false, notes: [] };
  const variants = cache.get(config) ?? new Map<string, TlsServerSide>();
  cache.set(config, variants);
  const key = variantKey(settings);
  const known = variants.get(key);
  if (known !== undefined && Date.now() - known.contexts.createdAt < MAX_CONTEXT_AGE_MS) {
    return { ok: true, side: known, notes: [] };
  }
  try {
    const material = tlsMaterialOf(settings, config.secretFiles, config.pkcs12PassPhrases);
    const side = serverSide(material, settings);
    if (variants.size >= MAX_VARIANTS) variants.clear();
    variants.set(key, side);
    return { ok: true, side, notes: material.notes };
  } catch (error) {
    return { ok: false, notes: [`unable to use the configured certificates: ${unusableReason(error)}`] };
  }
}

function serverSide(material: TlsMaterial, settings: Settings): TlsServerSide {
  return {
    contexts: new TlsContextSet(material.contextOptions),
    versions: material.contextOptions.versions,
    lifetimeSeconds: sessionLifetime(settings),
    leaves: material.leaves,
    revocationLists: material.revocationLists,
    clientAnchors: () => material.clientAnchors ?? systemAnchors(),
  };
}

/** Only fixed texts and OpenSSL's reasons, never bytes of a file. Anything else is a bug and goes up. */
function unusableReason(error: unknown): string {
  if (error instanceof CertificateFileError || error instanceof RangeError) return error.message;
  const { reason } = error as { reason?: unknown };
  if (typeof reason === 'string') return reason;
  throw error;
}

function variantKey(settings: Settings): string {
  return JSON.stringify(CONTEXT_SETTINGS.map((name) => settings[name]));
}

/** Settings a context or its verification material depends on. */
const CONTEXT_SETTINGS: readonly (keyof Settings)[] = [
  'tlsProtocol',
  'tlsCipherSuite',
  'tlsCipherSuite13',
  'tlsServerCipherPreference',
  'tlsRSACertificateFile',
  'tlsRSACertificateKeyFile',
  'tlsECCertificateFile',
  'tlsECCertificateKeyFile',
  'tlsDSACertificateFile',
  'tlsDSACertificateKeyFile',
  'tlsPKCS12File',
  'tlsCertificateChainFile',
  'tlsCACertificateFile',
  'tlsCACertificatePath',
  'tlsCARevocationFile',
  'tlsCARevocationPath',
  'tlsDHParamFile',
  'tlsECDHCurve',
  'tlsOptions',
  'tlsSessionCache',
];
