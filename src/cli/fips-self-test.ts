/**
 * A child process that starts with a FIPS module and says what it found. Not under `strict`: the known-answer tests use
 * what the service indicators refuse, and would put the module out of service.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fipsNodeOptions } from '../../crypto/fips-module-config.ts';
import type { LoadedFipsModule } from '../../crypto/fips-module.ts';

export type SelfTestAnswer =
  | {
      readonly kind: 'answered';
      readonly module: LoadedFipsModule;
      readonly selfTestPassed: boolean;
      /** Empty when every probe passed. */
      readonly probeFailures: string;
    }
  | { readonly kind: 'failed'; readonly reason: string };

const CHILD = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './fips-child.ts' : './fips-child.js', import.meta.url),
);
const TIMEOUT_MS = 30_000;
const MAX_OUTPUT = 65_536;

/** Starts Node with this OpenSSL configuration and lets the module test itself. Never throws. */
export function askSelfTestChild(libraryConfig: string): Promise<SelfTestAnswer> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', ...fipsNodeOptions(libraryConfig, 'provider'), CHILD],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: childEnvironment(),
    },
  );
  let output = '';
  let errors = '';
  child.stdout
    .setEncoding('utf8')
    .on('data', (text: string) => (output = (output + text).slice(0, MAX_OUTPUT)));
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (errors = (errors + text).slice(0, MAX_OUTPUT)));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ kind: 'failed', reason: error.message }));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(readAnswer(output));
      else if (signal !== null) resolve({ kind: 'failed', reason: `its self tests ended with ${signal}` });
      else resolve({ kind: 'failed', reason: reasonIn(errors) });
    });
  });
}

/** Options in NODE_OPTIONS or another OPENSSL_CONF must not decide what is tested. */
function childEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, OPENSSL_CONF: _configuration, ...environment } = process.env;
  return environment;
}

function readAnswer(output: string): SelfTestAnswer {
  try {
    return JSON.parse(output) as SelfTestAnswer;
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'failed', reason: 'its self tests gave no answer' };
    throw error;
  }
}

/** Node says only that no provider is active; OpenSSL refused it for one of these reasons. */
function reasonIn(errors: string): string {
  if (errors.includes('requires an active OpenSSL provider'))
    return 'OpenSSL did not accept it: no FIPS module, made for another system, damaged, or failing its self tests';
  return errors.trim().split('\n').at(-1) || 'unknown';
}
