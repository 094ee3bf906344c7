/** The SSH blob of a key OpenSSL holds (RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8709, section 4). */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { HostKeyError } from './host-key-error.ts';

const CURVES: Readonly<Record<string, string>> = {
  'P-256': 'nistp256',
  'P-384': 'nistp384',
  'P-521': 'nistp521',
};

/**
 * The blob of a public key, or of a private key's public half.
 * @throws HostKeyError for kinds SSH does not use
 */
export function publicBlobOf(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const writer = new ByteWriter(600);
  switch (publicKey.asymmetricKeyType) {
    case 'ed25519':
    case 'ed448': {
      const { x } = publicKey.export({ format: 'jwk' });
      return writer.string(`ssh-${publicKey.asymmetricKeyType}`).string(decoded(x)).finish();
    }
    case 'ec': {
      const curve = publicKey.asymmetricKeyDetails?.namedCurve ?? '';
      const name = CURVES[NODE_CURVES[curve] ?? curve];
      if (name === undefined) throw new HostKeyError(`SSH has no keys on the curve ${curve}`);
      const { x, y } = publicKey.export({ format: 'jwk' });
      const point = Buffer.concat([Buffer.from([4]), decoded(x), decoded(y)]);
      return writer.string(`ecdsa-sha2-${name}`).string(name).string(point).finish();
    }
    case 'rsa': {
      const { e, n } = publicKey.export({ format: 'jwk' });
      return writer.string('ssh-rsa').mpint(decoded(e)).mpint(decoded(n)).finish();
    }
    case 'dsa':
      return dsaBlob(publicKey);
    default:
      throw new HostKeyError(`SSH has no keys of the kind ${publicKey.asymmetricKeyType ?? 'secret'}`);
  }
}

/** OpenSSL's names of the curves. */
const NODE_CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

function decoded(value: string | undefined): Buffer {
  return Buffer.from(value ?? '', 'base64url');
}

/** SEQUENCE { SEQUENCE { OID, SEQUENCE { p, q, g } }, BIT STRING { y } } */
function dsaBlob(publicKey: KeyObject): Buffer {
  const spki = element(new ByteReader(publicKey.export({ format: 'der', type: 'spki' })));
  const algorithm = element(spki);
  element(algorithm);
  const parameters = element(algorithm);
  const bits = element(spki);
  bits.u8();
  const [p, q, g] = [element(parameters).rest(), element(parameters).rest(), element(parameters).rest()];
  const y = element(bits).rest();
  return new ByteWriter(600).string('ssh-dss').mpint(p).mpint(q).mpint(g).mpint(y).finish();
}

/** Contents of the next DER element. */
function element(reader: ByteReader): ByteReader {
  reader.u8();
  let length = reader.u8();
  if (length >= 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + reader.u8();
  }
  return new ByteReader(reader.raw(length));
}
