/** OCSP requests (RFC 6960, section 4.1) and where a certificate says its responder is. */
import { randomBytes, type X509Certificate } from 'node:crypto';
import { certificateParsers, type CertificateParsers } from './certificate-parsers.ts';

/** id-pkix-ocsp-nonce (RFC 9654). */
export const OCSP_NONCE = '1.3.6.1.5.5.7.48.1.2';
/** RFC 9654, section 2.1: new clients send 32 bytes. */
const NONCE_BYTES = 32;
/** More addresses than any authority names; what follows is not asked. */
const MAX_RESPONDERS = 3;
const MAX_URL_LENGTH = 2048;

export interface OcspRequestBytes {
  readonly der: Uint8Array;
  /** What a response with a nonce must repeat; null: none was sent. */
  readonly nonce: Uint8Array | null;
}

/**
 * A request about one certificate. CertID is made with SHA-1, the only hash every responder knows (RFC 5019, section
 * 2.1.1): it names a certificate here, nothing rests on its strength.
 */
export async function ocspRequest(
  certificate: X509Certificate,
  issuer: X509Certificate,
  withNonce: boolean,
): Promise<OcspRequestBytes> {
  const { pkijs } = await certificateParsers();
  const request = new pkijs.OCSPRequest();
  await request.createForCertificate(pkijs.Certificate.fromBER(certificate.raw), {
    hashAlgorithm: 'SHA-1',
    issuerCertificate: pkijs.Certificate.fromBER(issuer.raw),
  });
  const nonce = withNonce ? randomBytes(NONCE_BYTES) : null;
  if (nonce !== null) request.tbsRequest.requestExtensions = [nonceExtension(pkijs, nonce)];
  return { der: new Uint8Array(request.toSchema(true).toBER(false)), nonce };
}

/** Nonce ::= OCTET STRING(SIZE(1..128)), inside the extension's own OCTET STRING. */
export function encodedNonce(nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([0x04, nonce.length, ...nonce]);
}

function nonceExtension(
  pkijs: CertificateParsers['pkijs'],
  nonce: Uint8Array,
): InstanceType<CertificateParsers['pkijs']['Extension']> {
  return new pkijs.Extension({ extnID: OCSP_NONCE, critical: false, extnValue: encodedNonce(nonce).buffer });
}

/**
 * Responders of a certificate's authority information access (RFC 5280, section 4.2.2.1) that may be asked: `http:` only,
 * without credentials. Https would need a certificate that itself needs checking, and other schemes reach files.
 */
export async function responderUrls(certificate: X509Certificate): Promise<readonly string[]> {
  const { x509 } = await certificateParsers();
  const access = new x509.X509Certificate(new Uint8Array(certificate.raw)).getExtension(
    x509.AuthorityInfoAccessExtension,
  );
  const named = (access?.ocsp ?? []).filter((name) => name.type === 'url').map((name) => name.value);
  return named.filter(isResponderUrl).slice(0, MAX_RESPONDERS);
}

/** True for an address an OCSP request may be sent to. */
export function isResponderUrl(text: string): boolean {
  if (text.length > MAX_URL_LENGTH || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'http:' && url.username === '' && url.password === '' && url.hostname !== '';
}
