/** What one certificate says about itself (RFC 5280, section 4), read by @peculiar/x509 and put in words. */
import type { X509Certificate } from 'node:crypto';
import { certificateParsers, type CertificateParsers } from './certificate-parsers.ts';

export interface CertificateFacts {
  /** `RSA 2048 bits`, `EC P-256`. */
  readonly keyText: string;
  /** Null: no RSA key. */
  readonly rsaBits: number | null;
  /** `SHA-256 with RSA`, as far as the algorithm is known, else its OID. */
  readonly signatureText: string;
  /** MD5 or SHA-1. */
  readonly isWeaklySigned: boolean;
  /** `digitalSignature`, ..., `any` where the extension is missing. */
  readonly keyUsageText: string;
  readonly extendedKeyUsageText: string;
  /** True also where the certificate does not restrict its key. */
  readonly allowsDigitalSignature: boolean;
  /** `DNS:name`, `IP:address`, `email:address`. */
  readonly names: readonly string[];
  /** pathLenConstraint of an authority; null: unlimited, or no authority. */
  readonly pathLength: number | null;
}

const USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

const PURPOSES: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
  '1.3.6.1.5.5.7.3.9': 'OCSPSigning',
  '2.5.29.37.0': 'any',
};

const NAME_PREFIXES: Readonly<Record<string, string>> = { dns: 'DNS', ip: 'IP', email: 'email', url: 'URI' };

/** Reads a certificate. */
export async function readCertificateFacts(certificate: X509Certificate): Promise<CertificateFacts> {
  const { x509 } = await certificateParsers();
  const parsed = new x509.X509Certificate(new Uint8Array(certificate.raw));
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  const rsaBits = details?.modulusLength ?? null;
  const signature = signatureOf(certificate);
  const usage = parsed.getExtension(x509.KeyUsagesExtension);
  const purposes = certificate.keyUsage as readonly string[] | undefined;
  return {
    keyText:
      rsaBits === null
        ? [type?.toUpperCase(), details?.namedCurve].filter(Boolean).join(' ')
        : `RSA ${rsaBits} bits`,
    rsaBits: type === 'rsa' || type === 'rsa-pss' ? rsaBits : null,
    signatureText: signature,
    isWeaklySigned: /md5|sha-?1(?!\d)/i.test(signature),
    keyUsageText: usage === null ? 'any' : usageNames(usage.usages),
    extendedKeyUsageText:
      purposes === undefined ? 'any' : purposes.map((oid) => PURPOSES[oid] ?? oid).join(', '),
    allowsDigitalSignature: usage === null || (usage.usages & x509.KeyUsageFlags.digitalSignature) !== 0,
    names: alternativeNames(x509, parsed),
    pathLength: parsed.getExtension(x509.BasicConstraintsExtension)?.pathLength ?? null,
  };
}

/** OpenSSL's name, `sha256WithRSAEncryption`; documented by Node, missing in its older type declarations. */
function signatureOf(certificate: X509Certificate): string {
  const { signatureAlgorithm, signatureAlgorithmOid } = certificate as X509Certificate & {
    readonly signatureAlgorithm?: string;
    readonly signatureAlgorithmOid?: string;
  };
  return signatureAlgorithm ?? signatureAlgorithmOid ?? 'an unknown algorithm';
}

function usageNames(flags: number): string {
  return USAGES.filter((_name, bit) => (flags & (1 << bit)) !== 0).join(', ');
}

function alternativeNames(
  x509: CertificateParsers['x509'],
  parsed: InstanceType<CertificateParsers['x509']['X509Certificate']>,
): string[] {
  const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return names.map(({ type, value }) => `${NAME_PREFIXES[type] ?? type}:${value}`);
}
