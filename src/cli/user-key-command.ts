/** `lockgate user key add|remove|list NAME`: public keys of a user of the embedded store. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { parseAuthorizedKeys } from '../../crypto/ssh/key-files.ts';
import type { AuthorizedKey } from '../../crypto/ssh/key-files.ts';
import { fingerprint, KeyError, parsePublicKeyBlob } from '../../crypto/ssh/keys.ts';
import { UserStoreError } from '../auth/user-store.ts';
import type { UserStore } from '../auth/user-store.ts';
import {
  EXIT,
  parseStoreArguments,
  requireName,
  requireStore,
  requireUser,
  UsageError,
  userStorePath,
  withStore,
} from './user-store-access.ts';
import type { UserCommandIo } from './user-store-access.ts';

/** Hundreds of keys. */
const MAX_INPUT_BYTES = 256 * 1024;
/** Every login with a key reads them all. */
const MAX_KEYS = 100;

/**
 * @param argv the words behind `lockgate user key`
 * @throws UsageError, UserStoreError
 */
export async function runKeyCommand(argv: readonly string[], io: UserCommandIo): Promise<number> {
  const { words, options } = parseStoreArguments(argv);
  const [action, user, argument, ...rest] = words;
  const known = action === 'add' || action === 'remove' || action === 'list';
  if (!known) throw new UsageError('key is followed by add, remove or list');
  const name = requireName(user);
  if (rest.length > 0 || (action === 'list' && argument !== undefined)) {
    throw new UsageError(`too many words for key ${action}`);
  }
  const path = userStorePath(options, io.env);
  requireStore(path);
  if (action === 'add') {
    const text = argument === undefined || argument === '-' ? await readInput(io) : readKeyFile(argument);
    return withStore(path, (store) => addKeys(store, name, text, io));
  }
  if (action === 'list') return withStore(path, (store) => listKeys(store, name, io));
  if (argument === undefined) throw new UsageError('key remove needs the fingerprint that key list shows');
  return withStore(path, (store) => removeKey(store, name, argument, io));
}

function addKeys(store: UserStore, name: string, text: string, io: UserCommandIo): number {
  requireUser(store, name);
  if (text.includes('PRIVATE KEY-----')) {
    throw new UserStoreError('invalid', 'that is a private key; the public one (.pub) is needed');
  }
  const { keys, problems } = parseAuthorizedKeys(text);
  const [problem] = problems;
  if (problem !== undefined) throw new UserStoreError('invalid', `line ${problem.line}: ${problem.reason}`);
  if (keys.length === 0) throw new UserStoreError('invalid', 'there is no public key in the input');
  if (store.credentials.publicKeys(name).length + keys.length > MAX_KEYS) {
    throw new UserStoreError('invalid', `a user can have at most ${MAX_KEYS} keys`);
  }
  for (const key of keys) {
    const isNew = store.credentials.addPublicKey(name, key.blob, entryText(text, key));
    io.output.write(`${isNew ? 'added' : 'has already'} ${describe(key)}\n`);
  }
  return EXIT.done;
}

function listKeys(store: UserStore, name: string, io: UserCommandIo): number {
  requireUser(store, name);
  for (const key of keysOf(store, name)) io.output.write(`${describe(key)}\n`);
  return EXIT.done;
}

function removeKey(store: UserStore, name: string, wanted: string, io: UserCommandIo): number {
  requireUser(store, name);
  const key = keysOf(store, name).find((one) => fingerprint(one.blob) === wanted);
  if (key === undefined || !store.credentials.removePublicKey(name, key.blob)) {
    throw new UserStoreError('not-found', `'${name}' has no key with that fingerprint`);
  }
  io.output.write(`removed ${describe(key)}\n`);
  return EXIT.done;
}

function keysOf(store: UserStore, name: string): readonly AuthorizedKey[] {
  return store.credentials.publicKeys(name).flatMap((entry) => [...parseAuthorizedKeys(entry).keys]);
}

/** `SHA256:... ssh-ed25519 256 bits comment` */
function describe(key: AuthorizedKey): string {
  const comment = key.comment === null ? '' : ` ${key.comment.replaceAll(/[\x00-\x1f\x7f]/g, '?')}`;
  return `${fingerprint(key.blob)} ${kindOf(key)}${comment}`;
}

function kindOf(key: AuthorizedKey): string {
  try {
    const { type, bits } = parsePublicKeyBlob(key.blob);
    return `${type} ${bits} bits`;
  } catch (error) {
    if (error instanceof KeyError) return 'unreadable key';
    throw error;
  }
}

/** The lines of one entry, as they were given: options and headers stay with the key. */
function entryText(text: string, key: AuthorizedKey): string {
  const lines = text.split(/\r\n|\r|\n/);
  const first = key.line - 1;
  if (key.format === 'openssh') return (lines[first] ?? '').trim();
  const end = lines.findIndex((line, index) => index >= first && line.startsWith('---- END '));
  return lines.slice(first, end + 1).join('\n');
}

function readKeyFile(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new UserStoreError('invalid', `unable to read '${path}': ${code}`, { cause: error });
  }
  try {
    if (!fstatSync(descriptor).isFile()) throw new UserStoreError('invalid', `'${path}' is not a file`);
    const buffer = Buffer.alloc(MAX_INPUT_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(descriptor, buffer, length, buffer.length - length, length);
    }
    if (length > MAX_INPUT_BYTES)
      throw new UserStoreError('invalid', `'${path}' is too large for public keys`);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}

async function readInput(io: UserCommandIo): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of io.input) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    length += bytes.length;
    if (length > MAX_INPUT_BYTES)
      throw new UserStoreError('invalid', 'the input is too large for public keys');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
