/** DSA keys, which JWK does not know, by way of DER (RFC 3279, section 2.3.2; PKCS#8). */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { derBitString, derInteger, derOctetString, derSequence } from './der.ts';

/** id-dsa: 1.2.840.10040.4.1. */
const DSA_OID = Buffer.from('06072a8648ce380401', 'hex');

function algorithm(p: Buffer, q: Buffer, g: Buffer): Buffer {
  return derSequence(DSA_OID, derSequence(derInteger(p), derInteger(q), derInteger(g)));
}

/** Magnitudes in; throws what OpenSSL says. */
export function dsaPublicKey(p: Buffer, q: Buffer, g: Buffer, y: Buffer): KeyObject {
  const key = derSequence(algorithm(p, q, g), derBitString(derInteger(y)));
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

/** Magnitudes in; throws what OpenSSL says. */
export function dsaPrivateKey(p: Buffer, q: Buffer, g: Buffer, x: Buffer): KeyObject {
  const version = derInteger(Buffer.from([0]));
  const key = derSequence(version, algorithm(p, q, g), derOctetString(derInteger(x)));
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}
