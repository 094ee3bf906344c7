/** What a cipher or MAC costs by `openssl speed`: once for each block size and run of the benchmark. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { CipherWork } from '../parts/targets.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
/** TLS records carry 16 KiB; SSH packets, twice that, cost less by nothing that shows. */
const BLOCK_BYTES = 16_384;

const ARGUMENTS: Readonly<Record<CipherWork, readonly string[]>> = {
  'aes-256-gcm': ['-evp', 'aes-256-gcm'],
  'aes-256-ctr': ['-evp', 'aes-256-ctr'],
  'hmac-sha256': ['-hmac', 'sha256'],
};

/** CPU seconds for `bytes` of all the works together. One second of measuring for each. */
export async function cipherCpuSeconds(works: readonly CipherWork[], bytes: number): Promise<number> {
  let seconds = 0;
  for (const work of works) seconds += bytes / (await bytesPerSecond(work));
  return seconds;
}

async function bytesPerSecond(work: CipherWork): Promise<number> {
  const options = ['-seconds', '1', '-bytes', String(BLOCK_BYTES), '-mr'];
  const { stdout } = await run('openssl', ['speed', ...options, ...ARGUMENTS[work]], { timeout: TIMEOUT_MS });
  // Machine-readable: `+F:22:AES-256-GCM:4123456789.12` is bytes a second of CPU time.
  const rate = Number(/^\+F:\d+:[^:]+:([\d.]+)/m.exec(stdout)?.[1]);
  if (!(rate > 0)) throw new Error(`openssl speed said nothing about ${work}`);
  return rate;
}
