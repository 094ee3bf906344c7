/** What the signatures of user authentication cover, rebuilt from parsed fields (RFC 4252, sections 7 and 9). */
import type { SshHostbasedProof, SshPublicKeyProof } from '../actor/messages.ts';
import { ByteWriter } from '../util/byte-writer.ts';

const USERAUTH_REQUEST = 50;
const SERVICE = 'ssh-connection';

export interface SignedContext {
  /** H of the first key exchange. */
  readonly sessionIdentifier: Uint8Array;
  readonly loginName: string;
}

/**
 * string session identifier | byte 50 | string user | string service | string method | boolean TRUE |
 * string algorithm | string public key blob [| string server host key, for publickey-hostbound-v00@openssh.com]
 */
export function publicKeySignedData(context: SignedContext, proof: SshPublicKeyProof): Buffer {
  const method = proof.hostKeyBlob === null ? 'publickey' : 'publickey-hostbound-v00@openssh.com';
  const writer = start(context).string(method).bool(true).string(proof.algorithm).string(proof.blob);
  if (proof.hostKeyBlob !== null) writer.string(proof.hostKeyBlob);
  return writer.finish();
}

/**
 * string session identifier | byte 50 | string user | string service | string "hostbased" | string algorithm |
 * string host key blob | string client host name | string user name on the client host
 */
export function hostbasedSignedData(context: SignedContext, proof: SshHostbasedProof): Buffer {
  return start(context)
    .string('hostbased')
    .string(proof.algorithm)
    .string(proof.blob)
    .string(proof.clientHost)
    .string(proof.clientUser)
    .finish();
}

function start(context: SignedContext): ByteWriter {
  return new ByteWriter(1024)
    .string(context.sessionIdentifier)
    .u8(USERAUTH_REQUEST)
    .string(context.loginName)
    .string(SERVICE);
}
