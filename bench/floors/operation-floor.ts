/** Least CPU of a login or of one small file: the operations nobody can leave out, each measured alone. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
const HASH_ROUNDS = 8;
/** crypt(3) as every server here uses it. */
const CRYPT_LIBRARY = 'libcrypt.so.1';

export type Operation = 'ecdsa-sign' | 'rsa-sign' | 'ed25519-sign' | 'ed25519-verify' | 'x25519';

const ALGORITHMS = ['ecdsap256', 'rsa2048', 'ed25519', 'ecdhx25519'];
/** Lines of `openssl speed -mr`: kind, index, bits, and rates a second (of signing and of verifying). */
const LINES: Readonly<Record<Operation, RegExp>> = {
  'ecdsa-sign': /^\+F4:\d+:256:([\d.]+):/m,
  'rsa-sign': /^\+F2:\d+:2048:([\d.]+):/m,
  'ed25519-sign': /^\+F6:\d+:253:[^:]*:([\d.]+):/m,
  'ed25519-verify': /^\+F6:\d+:253:[^:]*:[\d.]+:([\d.]+)/m,
  x25519: /^\+F5:\d+:253:([\d.]+)/m,
};

let rates: Promise<string> | null = null;

/** CPU seconds of the operations together; measured once for each run of the benchmark. */
export async function operationSeconds(operations: readonly Operation[]): Promise<number> {
  rates ??= run('openssl', ['speed', '-seconds', '1', '-mr', ...ALGORITHMS], { timeout: TIMEOUT_MS }).then(
    ({ stdout }) => stdout,
  );
  const text = await rates;
  return operations.reduce((sum, operation) => {
    const rate = Number(LINES[operation].exec(text)?.[1]);
    if (!(rate > 0)) throw new Error(`openssl speed said nothing about ${operation}`);
    return sum + 1 / rate;
  }, 0);
}

/** CPU seconds of checking a password against a crypt(3) string. Null where libcrypt cannot be reached. */
export function hashSeconds(password: string, hash: string): number | null {
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  if (ffi === undefined) return null;
  let crypt: (password: string, hash: string) => bigint;
  try {
    crypt = ffi.dlopen(CRYPT_LIBRARY, { crypt: { arguments: ['string', 'string'], return: 'pointer' } })
      .functions.crypt;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
  const before = process.cpuUsage();
  for (let round = 0; round < HASH_ROUNDS; round += 1) crypt(password, hash);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / HASH_ROUNDS;
}
