/** `lockgate -t` and `lockgate check -c FILE`: what a configuration would do, without starting anything. */
import type { ConfigError } from '../config/config-error.ts';
import { findingOf, type Finding } from '../config/diagnostics.ts';
import { checkConfig, loadConfig } from '../config/load-config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { checkConfigFiles, type CheckedFiles } from '../main/prepare-config.ts';
import type { RunFlags } from './command-line.ts';
import { loadOptions, configFileOf } from './config-options.ts';
import { terminalPrompt } from './terminal-prompt.ts';

/** -t: exit code 0 or 1; the first error goes to standard error in ProFTPD's wording. */
export async function runConfigTest(flags: RunFlags): Promise<number> {
  process.stderr.write('Checking syntax of configuration file\n');
  try {
    const loaded = await loadConfig(loadOptions(flags, configFileOf(flags), 1));
    const { errors, warnings } = await checkFiles(loaded.config);
    for (const warning of new Set([...loaded.warnings, ...warnings])) process.stderr.write(`${warning}\n`);
    if (errors[0] !== undefined) throw errors[0];
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
  const { findings: found, config } = await checkConfig(loadOptions(flags, configFileOf(flags), 1));
  const files = config === null ? { findings: [], notes: [] } : await fileFindings(config);
  const findings = [...found, ...files.findings];
  for (const note of files.notes) process.stdout.write(`note: ${note}\n`);
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

/** Account files, certificates and keys, as a start would read them. */
function checkFiles(config: ServerConfig): Promise<CheckedFiles> {
  return checkConfigFiles(config, {
    identity: { kind: 'ordinary', uid: process.geteuid?.() ?? -1 },
    passPhrases: new Map(),
    askPassPhrase: terminalPrompt(),
  });
}

/** Findings, and what certificates say about themselves. */
async function fileFindings(
  config: ServerConfig,
): Promise<{ readonly findings: readonly Finding[]; readonly notes: readonly string[] }> {
  const { errors, warnings, tls } = await checkFiles(config);
  const findings = [
    ...errors.map(findingOf),
    ...[...new Set(warnings)].map((because): Finding => ({
      kind: 'warning',
      directive: null,
      file: null,
      line: null,
      because,
    })),
  ];
  return { findings, notes: tls.notes };
}

const KINDS = { error: 'error', refused: 'refused', 'no-effect': 'no effect', warning: 'warning' } as const;

function count(findings: number): string {
  return findings === 1 ? '1 line' : `${findings} lines`;
}

function isConfigError(error: unknown): error is ConfigError {
  return error instanceof Error && error.name === 'ConfigError';
}
