/**
 * SSH_MSG_USERAUTH_REQUEST (RFC 4252, section 5) and SSH_MSG_USERAUTH_INFO_RESPONSE (RFC 4256, section 3.4).
 *
 *   byte 50 | string user | string service | string method | the method's fields:
 *   none                   nothing
 *   password               bool FALSE | string password              or  bool TRUE | string old | string new
 *   publickey              bool FALSE | string algorithm | string key
 *                      or  bool TRUE  | string algorithm | string key | string signature
 *   publickey-hostbound-v00@openssh.com   as publickey, with string server host key behind the key
 *   hostbased              string algorithm | string key | string host | string user there | string signature
 *   keyboard-interactive   string language | string submethods
 */
import type { SshAuthMethod } from '../../../../src/actor/messages.ts';
import { ByteError, ByteReader } from '../../../../src/util/byte-reader.ts';
import { USERAUTH_INFO_RESPONSE, USERAUTH_REQUEST } from '../../wire/message-numbers.ts';

/** Longer names are nobody's, and would only fill logs. */
const MAX_USER_BYTES = 256;
const MAX_NAME_BYTES = 64;
/** Keys and certificates (ssh-transport reference, section 14). */
const MAX_BLOB_BYTES = 16 * 1024;
const MAX_SIGNATURE_BYTES = 16 * 1024;
/** What is longer than MaxPasswordSize is refused by main, unhashed. */
const MAX_PASSWORD_BYTES = 64 * 1024;
const MAX_HOST_BYTES = 255;
const MAX_LANGUAGE_BYTES = 64;
const MAX_SUBMETHODS_BYTES = 1024;
const MAX_ANSWERS = 100;
const HOSTBOUND = 'publickey-hostbound-v00@openssh.com';

export interface UserauthRequest {
  readonly user: string;
  readonly service: string;
  readonly method: SshAuthMethod;
}

/**
 * Throws ByteError where the fields every request has do not parse. Fields of a method that do not parse make a `malformed`
 * method, which fails for known and unknown users alike.
 */
export function parseUserauthRequest(payload: Buffer): UserauthRequest {
  const reader = new ByteReader(payload);
  if (reader.u8() !== USERAUTH_REQUEST) throw new ByteError('not a USERAUTH_REQUEST');
  const user = reader.utf8(MAX_USER_BYTES);
  const service = reader.name(MAX_NAME_BYTES);
  const name = reader.name(MAX_NAME_BYTES);
  return { user, service, method: parseMethod(reader, name) };
}

function parseMethod(reader: ByteReader, name: string): SshAuthMethod {
  const parse = PARSERS.get(name);
  if (parse === undefined) return { kind: 'unknown', name };
  try {
    const method = parse(reader);
    reader.end();
    return method;
  } catch (error) {
    if (error instanceof ByteError)
      return { kind: 'malformed', name: name === HOSTBOUND ? 'publickey' : name };
    throw error;
  }
}

/** A Map: a method called `constructor` is just unknown. */
const PARSERS: ReadonlyMap<string, (reader: ByteReader) => SshAuthMethod> = new Map([
  ['none', (): SshAuthMethod => ({ kind: 'none' })],
  ['password', parsePassword],
  ['publickey', (reader: ByteReader) => parsePublicKey(reader, false)],
  [HOSTBOUND, (reader: ByteReader) => parsePublicKey(reader, true)],
  ['hostbased', parseHostbased],
  ['keyboard-interactive', parseKeyboardInteractive],
]);

function parsePassword(reader: ByteReader): SshAuthMethod {
  const changes = reader.bool();
  const password = reader.utf8(MAX_PASSWORD_BYTES);
  if (!changes) return { kind: 'password', password };
  reader.string(MAX_PASSWORD_BYTES);
  return { kind: 'password-change' };
}

function parsePublicKey(reader: ByteReader, hostbound: boolean): SshAuthMethod {
  const signed = reader.bool();
  const algorithm = reader.name(MAX_NAME_BYTES);
  const blob = copyOf(reader.string(MAX_BLOB_BYTES));
  const hostKeyBlob = hostbound ? copyOf(reader.string(MAX_BLOB_BYTES)) : null;
  if (!signed) return { kind: 'publickey-query', algorithm, blob, hostKeyBlob };
  return {
    kind: 'publickey',
    algorithm,
    blob,
    signature: copyOf(reader.string(MAX_SIGNATURE_BYTES)),
    hostKeyBlob,
  };
}

function parseHostbased(reader: ByteReader): SshAuthMethod {
  return {
    kind: 'hostbased',
    algorithm: reader.name(MAX_NAME_BYTES),
    blob: copyOf(reader.string(MAX_BLOB_BYTES)),
    clientHost: reader.name(MAX_HOST_BYTES),
    clientUser: reader.utf8(MAX_USER_BYTES),
    signature: copyOf(reader.string(MAX_SIGNATURE_BYTES)),
  };
}

function parseKeyboardInteractive(reader: ByteReader): SshAuthMethod {
  reader.string(MAX_LANGUAGE_BYTES);
  // A hint (RFC 4256, section 3.1): what is asked is main's to say, so a list that is none does no harm.
  const submethods = reader.utf8(MAX_SUBMETHODS_BYTES);
  return {
    kind: 'keyboard-interactive',
    submethods: submethods.split(',').filter((name) => name !== ''),
  };
}

/** byte 61 | u32 count | count times string answer. Throws ByteError. */
export function parseInfoResponse(payload: Buffer): string[] {
  const reader = new ByteReader(payload);
  if (reader.u8() !== USERAUTH_INFO_RESPONSE) throw new ByteError('not a USERAUTH_INFO_RESPONSE');
  const count = reader.u32();
  if (count > MAX_ANSWERS) throw new ByteError('too many answers');
  const answers: string[] = [];
  for (let index = 0; index < count; index += 1) answers.push(reader.utf8(MAX_PASSWORD_BYTES));
  reader.end();
  return answers;
}

/** A copy in memory of its own: a view would take the whole packet along when it is sent to main. */
function copyOf(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}
