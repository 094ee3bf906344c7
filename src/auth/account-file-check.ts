/** What is wrong with the account files of a configuration before anybody logs in: for the start and `lockgate check`. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { insecureAccountFile, parseGroupFile, parsePasswordFile } from '../config/account-files.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { withRootCredentials } from '../util/thread-credentials.ts';
import type { AsRoot } from './account-file-cache.ts';

export interface AccountFileProblem {
  readonly directive: 'AuthUserFile' | 'AuthGroupFile';
  readonly path: string;
  /** As ProFTPD words it where it has words; never quotes a line of the file. */
  readonly message: string;
}

/**
 * Files that are missing, unreadable or open to others; with AuthFileOptions SyntaxCheck also lines that are not well
 * formed. The same checks run again at every login, so a file may be mended while the server runs.
 */
export function checkAccountFiles(
  config: ServerConfig,
  asRoot: AsRoot = withRootCredentials,
): readonly AccountFileProblem[] {
  const problems = new Map<string, AccountFileProblem>();
  for (const { settings } of config.virtualHosts) {
    const options = settings.authFileOptions ?? [];
    for (const directive of ['AuthUserFile', 'AuthGroupFile'] as const) {
      const files = directive === 'AuthUserFile' ? settings.authUserFile : settings.authGroupFile;
      for (const { path } of files ?? []) {
        for (const message of asRoot(() => checkFile(directive, path, options))) {
          problems.set(`${directive} ${message}`, { directive, path, message });
        }
      }
    }
  }
  return [...problems.values()];
}

function checkFile(
  directive: AccountFileProblem['directive'],
  path: string,
  options: readonly string[],
): readonly string[] {
  try {
    const mode = { fileMode: statSync(path).mode, directoryMode: statSync(dirname(path)).mode };
    const refusal = insecureAccountFile(directive, path, mode, options);
    if (refusal !== null) return [refusal];
    const text = readFileSync(path, 'utf8');
    if (!options.some((option) => option.toLowerCase() === 'syntaxcheck')) return [];
    const { problems } = directive === 'AuthUserFile' ? parsePasswordFile(text) : parseGroupFile(text);
    return problems.map(({ line, reason }) => `syntax error on line ${line} of '${path}': ${reason}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return [`unable to open ${directive} '${path}': ${code}`];
  }
}
