/** Self-signed certificates for a start without configuration: one EC, one RSA, for this machine's loopback names. */
import { randomBytes, webcrypto } from 'node:crypto';
import { certificateParsers } from '../../crypto/certificate-parsers.ts';

/** Clients of some platforms refuse server certificates that are valid for longer. */
export const CERTIFICATE_DAYS = 825;
const DAY_MS = 86_400_000;
/** A client's clock may be a little behind. */
const BACKDATE_MS = 3_600_000;

export type CertificateKind = 'ec' | 'rsa';

export interface SelfSigned {
  readonly certificatePem: string;
  readonly keyPem: string;
}

const ALGORITHMS = {
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const;

/** A new key and certificate for localhost, 127.0.0.1 and ::1, valid from `now` on. */
export async function createSelfSigned(kind: CertificateKind, now: Date): Promise<SelfSigned> {
  const { x509 } = await certificateParsers();
  const algorithm = ALGORITHMS[kind];
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  // A leading zero bit keeps the serial number positive (RFC 5280, section 4.1.2.2).
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  const usages =
    x509.KeyUsageFlags.digitalSignature | (kind === 'rsa' ? x509.KeyUsageFlags.keyEncipherment : 0);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial.toString('hex'),
    name: 'CN=localhost, O=Lockgate self-signed',
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + CERTIFICATE_DAYS * DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(usages, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: pem('PRIVATE KEY', key) };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
