/** `lockgate -t` and `lockgate check -c FILE`: what a configuration would do, without starting anything. */
import type { ConfigError } from '../config/config-error.ts';
import { checkConfig, loadConfig } from '../config/load-config.ts';
import type { RunFlags } from './command-line.ts';
import { loadOptions, configFileOf } from './config-options.ts';

/** -t: exit code 0 or 1; the first error goes to standard error in ProFTPD's wording. */
export async function runConfigTest(flags: RunFlags): Promise<number> {
  process.stderr.write('Checking syntax of configuration file\n');
  try {
    const loaded = await loadConfig(loadOptions(flags, configFileOf(flags), 1));
    for (const warning of loaded.warnings) process.stderr.write(`${warning}\n`);
  } catch (error) {
    if (!isConfigError(error)) throw error;
    process.stderr.write(`${error.toString()}\n`);
    return 1;
  }
  process.stderr.write('Syntax check complete.\n');
  return 0;
}

/** check: one line per finding, `FILE:LINE: kind: directive: why`; 1 when the server would not start with this file. */
export async function runCheck(flags: RunFlags): Promise<number> {
  const { findings, config } = await checkConfig(loadOptions(flags, configFileOf(flags), 1));
  for (const { kind, directive, file, line, because, hint } of findings) {
    const place = file === null ? '' : `${file}:${line ?? 0}: `;
    const subject = directive === null ? '' : `${directive}: `;
    process.stdout.write(
      `${place}${KINDS[kind]}: ${subject}${because}${hint === undefined ? '' : ` (${hint})`}\n`,
    );
  }
  const refused = findings.filter(({ kind }) => kind === 'error' || kind === 'refused').length;
  const reserved = findings.length - refused;
  process.stdout.write(
    refused === 0
      ? `The server starts with this configuration; ${count(reserved)} without effect or with a warning.\n`
      : `The server does not start with this configuration: ${count(refused)} refused, ${count(reserved)} without effect or with a warning.\n`,
  );
  return config === null || refused > 0 ? 1 : 0;
}

const KINDS = { error: 'error', refused: 'refused', 'no-effect': 'no effect', warning: 'warning' } as const;

function count(findings: number): string {
  return findings === 1 ? '1 line' : `${findings} lines`;
}

function isConfigError(error: unknown): error is ConfigError {
  return error instanceof Error && error.name === 'ConfigError';
}
