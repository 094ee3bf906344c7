/** Pass phrases of encrypted keys: a provider program, or a prompt on the terminal, at start-up only. */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** Which key a pass phrase is asked for. */
export interface PassPhraseRequest {
  /** `SERVERNAME:PORT`. */
  readonly server: string;
  /** RSA, DSA, EC, PKCS12; for SSH host keys the path of the key (SFTPPassPhraseProvider). */
  readonly keyType: string;
  /** `RSA key for the IP#PORT (SERVERNAME) server: `. */
  readonly prompt: string;
}

export type PassPhraseAnswer =
  { readonly ok: true; readonly passPhrase: string } | { readonly ok: false; readonly reason: string };

export interface ProviderOptions {
  /** Milliseconds before SIGTERM. */
  readonly timeoutMs?: number;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly graceMs?: number;
  /** Receives what the program writes to standard error, line by line. */
  readonly log?: (line: string) => void;
}

const PROVIDER_TIMEOUT_MS = 10_000;
const KILL_GRACE_MS = 1_000;
/** OpenSSL reads at most this much of a pass phrase (PEM_BUFSIZE). */
const MAX_PASS_PHRASE_BYTES = 1024;
const MAX_ERROR_BYTES = 16 * 1024;

/** How often a prompt is repeated after a wrong answer. */
export const PROMPT_ATTEMPTS = 3;

/** Runs a TLSPassPhraseProvider program. A failure is an answer; nothing of the pass phrase appears in it. */
export async function runPassPhraseProvider(
  program: string,
  request: PassPhraseRequest,
  options: ProviderOptions = {},
): Promise<PassPhraseAnswer> {
  const problem = passPhraseProgramProblem(program);
  if (problem !== null) return { ok: false, reason: `'${program}' ${problem}` };
  return new Promise((resolve) => {
    const child = spawn(program, [request.server, request.keyType], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    let outputBytes = 0;
    let errorBytes = 0;
    let timedOut = false;
    let kill: NodeJS.Timeout | undefined;
    const terminate = setTimeout(() => {
      timedOut = true;
      child.kill('SIGTERM');
      kill = setTimeout(() => child.kill('SIGKILL'), options.graceMs ?? KILL_GRACE_MS);
    }, options.timeoutMs ?? PROVIDER_TIMEOUT_MS);
    const finish = (answer: PassPhraseAnswer): void => {
      clearTimeout(terminate);
      clearTimeout(kill);
      logLines(Buffer.concat(errors), options.log);
      resolve(answer);
    };
    child.stdout.on('data', (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes <= MAX_PASS_PHRASE_BYTES) output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errorBytes += chunk.length;
      if (errorBytes <= MAX_ERROR_BYTES) errors.push(chunk);
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      finish({ ok: false, reason: `unable to run '${program}': ${error.code ?? 'unknown error'}` }),
    );
    child.on('close', (code, signal) => {
      if (timedOut) return finish({ ok: false, reason: `'${program}' did not answer in time` });
      if (code !== 0)
        return finish({ ok: false, reason: `'${program}' ended with ${signal ?? `code ${code}`}` });
      if (outputBytes > MAX_PASS_PHRASE_BYTES)
        return finish({ ok: false, reason: `'${program}' wrote too much` });
      finish({ ok: true, passPhrase: firstLine(Buffer.concat(output)) });
    });
  });
}

/** Pass phrases given so far, so that a reload does not ask again; by key file. Lives in the main thread only. */
export type PassPhraseMemory = Map<string, string>;

/** Why the program cannot be one, to be put behind its quoted path; null: it can be run. */
export function passPhraseProgramProblem(program: string): string | null {
  if (!isAbsolute(program)) return 'must be an absolute path';
  const stats = statSync(program, { throwIfNoEntry: false });
  if (stats === undefined) return 'does not exist';
  if (!stats.isFile()) return 'is not a regular file';
  return (stats.mode & 0o111) === 0 ? 'is not executable' : null;
}

function firstLine(bytes: Buffer): string {
  return bytes.toString('utf8').split(/\r?\n/, 1)[0] ?? '';
}

function logLines(bytes: Buffer, log: ((line: string) => void) | undefined): void {
  if (log === undefined) return;
  for (const line of bytes.toString('utf8').split('\n')) if (line.trim() !== '') log(line.trim());
}
