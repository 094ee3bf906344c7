/** TLS material and contexts of this thread: parsed once per configuration version and set of TLS settings. */
import type { X509Certificate } from 'node:crypto';
import { CertificateFileError } from '../../../crypto/certificate-files.ts';
import { cipherOrder } from '../../../crypto/cipher-order.ts';
import { preSharedKeysOf, suitesForKeys, type PreSharedKeys } from '../../../crypto/pre-shared-keys.ts';
import { activeProfile, type TlsVersionName } from '../../../crypto/profile.ts';
import type { ServerPreferences } from '../../../crypto/stapling.ts';
import type { StapleSlot } from '../../../crypto/staple-slot.ts';
import {
  hasCertificate,
  sessionLifetime,
  systemAnchors,
  tlsMaterialOf,
  type TlsMaterial,
} from '../../../crypto/tls-configuration.ts';
import { cipherString, TlsContextSet } from '../../../crypto/tls-context.ts';
import { DEFAULT_SETTINGS } from '../../../src/config/default-settings.ts';
import type { ServerConfig, Settings } from '../../../src/config/server-config.ts';

/** What a handshake needs of one virtual host. */
export interface TlsServerSide {
  readonly contexts: TlsContextSet;
  readonly versions: readonly TlsVersionName[];
  readonly lifetimeSeconds: number;
  readonly leaves: readonly X509Certificate[];
  readonly revocationLists: readonly Uint8Array[];
  /** Leaves and the one of a PKCS#12 bundle: those a staple may be about. */
  readonly stapledLeaves: readonly X509Certificate[];
  /** SHA-256 fingerprint -> shared memory main writes; null: TLSStapling is off. */
  readonly staples: ReadonlyMap<string, StapleSlot> | null;
  /** How the contexts choose between two certificates. */
  readonly preferences: ServerPreferences;
  readonly preSharedKeys: PreSharedKeys;
  /** The same for clients that offer a pre-shared key in TLS 1.3; null: none is configured. */
  readonly keyed: TlsServerSide | null;
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

/** Conditional sections can vary TLS settings per session; more variants than this start over. */
const MAX_VARIANTS = 64;

const cache = new WeakMap<ServerConfig, Map<string, Variant>>();

/** Context sets of one set of TLS settings, newest last: each has a ticket key of its own (TLSSessionTicketKeys). */
interface Variant {
  readonly sides: TlsServerSide[];
}

/** Contexts for these settings; expensive (about 0.3 ms) the first time only. */
export function tlsServerSide(config: ServerConfig, settings: Settings): TlsServerSideResult {
  if (!hasCertificate(settings)) return { ok: false, notes: [] };
  const variants = cache.get(config) ?? new Map<string, Variant>();
  cache.set(config, variants);
  const key = variantKey(settings);
  const rotation =
    config.virtualHosts[0]?.settings.tlsSessionTicketKeys ?? DEFAULT_SETTINGS.tlsSessionTicketKeys;
  const known = variants.get(key);
  const newest = known?.sides.at(-1);
  if (newest !== undefined && Date.now() - newest.contexts.createdAt < rotation.ageSeconds * 1000) {
    return { ok: true, side: newest, notes: [] };
  }
  try {
    const material = tlsMaterialOf(settings, config.secretFiles, config.pkcs12PassPhrases);
    const side = serverSide(material, settings, config);
    if (variants.size >= MAX_VARIANTS) variants.clear();
    variants.set(key, { sides: rotated([...(known?.sides ?? []), side], rotation.count) });
    return { ok: true, side, notes: material.notes };
  } catch (error) {
    return { ok: false, notes: [`unable to use the configured certificates: ${unusableReason(error)}`] };
  }
}

/** The newest `count` context sets; tickets of older ones do not open any more. */
function rotated(sides: readonly TlsServerSide[], count: number): TlsServerSide[] {
  for (const old of sides.slice(0, -count)) {
    old.contexts.retireTicketKey();
    old.keyed?.contexts.retireTicketKey();
  }
  return sides.slice(-count);
}

function serverSide(material: TlsMaterial, settings: Settings, config: ServerConfig): TlsServerSide {
  const contexts = new TlsContextSet(material.contextOptions);
  const bundled = settings.tlsPKCS12File === null ? null : contexts.certificate();
  const { contextOptions } = material;
  const preSharedKeys = preSharedKeysOf(settings, config.secretFiles);
  const side: TlsServerSide = {
    contexts,
    versions: material.contextOptions.versions,
    lifetimeSeconds: sessionLifetime(settings),
    leaves: material.leaves,
    revocationLists: material.revocationLists,
    stapledLeaves: bundled === null ? material.leaves : [...material.leaves, bundled],
    staples: settings.tlsStapling ? (config.staples ?? null) : null,
    preferences: {
      serverPreference: settings.tlsServerCipherPreference,
      ciphers: settings.tlsStapling ? cipherOrder(cipherString(contextOptions)) : null,
      groups: contextOptions.groups ?? activeProfile().tls.groups,
    },
    preSharedKeys,
    keyed: null,
    clientAnchors: () => material.clientAnchors ?? systemAnchors(),
  };
  if (preSharedKeys.size === 0) return side;
  const cipherSuites13 = suitesForKeys(contextOptions.cipherSuites13 ?? activeProfile().tls.suites);
  return { ...side, keyed: { ...side, contexts: new TlsContextSet({ ...contextOptions, cipherSuites13 }) } };
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
  'tlsStapling',
  'tlsPreSharedKey',
];
