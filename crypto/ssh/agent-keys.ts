/**
 * Host keys held by an SSH agent (draft-ietf-sshm-ssh-agent): public keys listed once, each signature asked of
 * the agent over a connection of its own.
 */
import { connect } from 'node:net';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { HostKeyError } from './host-key-error.ts';
import type { HostKey } from './host-keys.ts';
import {
  KeyError,
  parsePublicKeyBlob,
  signatureAlgorithms,
  verifySignature,
  type SshPublicKey,
} from './keys.ts';

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
/** Flags of a sign request: the hash of an RSA signature. */
const FLAGS = new Map([
  ['rsa-sha2-256', 2],
  ['rsa-sha2-512', 4],
]);
/** An agent may ask somebody to confirm; a key exchange does not wait for longer. */
const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_KEYS = 64;

/**
 * The agent's keys this server can use; certificates and keys on tokens are left out.
 * @throws HostKeyError where the agent cannot be asked
 */
export async function createAgentHostKeys(socketPath: string): Promise<HostKey[]> {
  const answer = await ask(socketPath, Buffer.from([REQUEST_IDENTITIES]));
  const blobs = readAnswer(answer, IDENTITIES_ANSWER, (reader) => {
    const count = reader.u32();
    if (count > MAX_KEYS) throw new ByteError('too many keys');
    return Array.from({ length: count }, () => {
      const blob = Buffer.from(reader.string());
      reader.string();
      return blob;
    });
  });
  return blobs.flatMap((blob) => {
    const key = usableKey(blob);
    return key === null ? [] : [agentHostKey(socketPath, key)];
  });
}

/** Null for what is no host key: an agent serves users too. */
function usableKey(blob: Buffer): SshPublicKey | null {
  try {
    const key = parsePublicKeyBlob(blob);
    return key.application === null ? key : null;
  } catch (error) {
    if (error instanceof KeyError) return null;
    throw error;
  }
}

function agentHostKey(socketPath: string, key: SshPublicKey): HostKey {
  const algorithms = signatureAlgorithms(key.type);
  return {
    type: key.type,
    algorithms,
    blob: key.blob,
    bits: key.bits,
    pkcs8: Buffer.alloc(0),
    async sign(algorithm, data) {
      if (!algorithms.includes(algorithm)) {
        throw new RangeError(`a ${key.type} key does not sign ${algorithm}`);
      }
      const request = new ByteWriter(key.blob.length + data.length + 16)
        .u8(SIGN_REQUEST)
        .string(key.blob)
        .string(data)
        .u32(FLAGS.get(algorithm) ?? 0)
        .finish();
      const answer = await ask(socketPath, request);
      const signature = readAnswer(answer, SIGN_RESPONSE, (reader) => reader.string());
      // Old agents know no flags and sign with SHA-1, whatever was asked.
      if (!verifySignature(key, algorithm, data, signature).valid) {
        throw new HostKeyError('the SSH agent gave no valid signature');
      }
      return signature;
    },
  };
}

function readAnswer<T>(answer: Buffer, type: number, read: (reader: ByteReader) => T): T {
  try {
    const reader = new ByteReader(answer);
    if (reader.u8() !== type) throw new HostKeyError('the SSH agent refused');
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof ByteError) throw new HostKeyError('the SSH agent answered nonsense');
    throw error;
  }
}

/** One request, one answer, without their lengths. */
function ask(socketPath: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const socket = connect(socketPath);
    const fail = (reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new HostKeyError(reason));
    };
    const timer = setTimeout(() => fail('the SSH agent does not answer'), TIMEOUT_MS);
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(`the SSH agent cannot be reached (${error.code ?? 'unknown'})`),
    );
    socket.on('close', () => fail('the SSH agent closed the connection'));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < 4) return;
      const bytes = Buffer.concat(chunks);
      const length = bytes.readUInt32BE(0);
      if (length === 0 || length > MAX_ANSWER_BYTES) fail('the SSH agent answered nonsense');
      else if (bytes.length >= 4 + length) {
        clearTimeout(timer);
        socket.removeAllListeners('close');
        socket.destroy();
        resolve(bytes.subarray(4, 4 + length));
      }
    });
    socket.write(new ByteWriter(request.length + 4).string(request).finish());
  });
}
