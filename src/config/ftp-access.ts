/** `.ftpaccess`: a directory's own configuration, written by users and therefore trusted with little. */
import { ConfigError } from './config-error.ts';
import { emptySource } from './config-source.ts';
import { Diagnostics, type Finding } from './diagnostics.ts';
import { STANDARD_REGISTRY, type DirectiveRegistry } from './directive-registry.ts';
import { newLimit } from './limit-section.ts';
import { parseConfig } from './parser.ts';
import { SectionBuilder } from './section-builder.ts';
import { PLACES } from './section-place.ts';
import { countPatterns, riskyPattern } from './regex-safety.ts';
import type { Scope } from './server-config.ts';
import { COMPATIBLE_VERSION } from './version-match.ts';

export interface FtpAccess {
  readonly scope: Scope;
  /** Errors (then the scope denies everything) and directives without effect, for the log. */
  readonly findings: readonly Finding[];
}

/** Characters of one .ftpaccess. */
export const MAX_FTP_ACCESS_LENGTH = 64 * 1024;
/** Each may cost milliseconds on a long path, for every command that names one. */
const MAX_PATTERNS = 16;

/**
 * Parses the text of one .ftpaccess (`file` for messages). No Include, no environment, only directives whose contexts name
 * .ftpaccess. A file with an error denies everything below it: it was written to restrict, and half of it may not.
 */
export function parseFtpAccess(
  text: string,
  file: string,
  defines: readonly string[] = [],
  registry: DirectiveRegistry = STANDARD_REGISTRY,
): FtpAccess {
  const diagnostics = new Diagnostics('collect');
  const location = { file, line: 1 };
  const scope = diagnostics.attempt(
    () => {
      if (text.length > MAX_FTP_ACCESS_LENGTH) throw new ConfigError('file is too large');
      const { nodes } = parseConfig({
        file,
        text,
        source: emptySource,
        defines,
        environment: {},
        compatibleVersion: COMPATIBLE_VERSION,
        isModuleAvailable: (name) => registry.isModuleAvailable(name),
        diagnostics,
        trusted: false,
      });
      const builder = new SectionBuilder({ registry, diagnostics, homeOf: () => null });
      const { settings: written, limits } = builder.build(nodes, PLACES.ftpaccess);
      const { userOwner, ...settings } = written;
      // The server's root gives files away for it: whoever may upload here could make files that belong to anybody.
      if (userOwner !== undefined && userOwner !== null) {
        const because =
          "it works with the server's own rights, so it is taken from the server's configuration only";
        diagnostics.noEffect('UserOwner', location, because);
      }
      const risky = riskyPattern({ settings, limits });
      if (risky !== null) throw new ConfigError(`expression '${risky}' is too complex`);
      if (countPatterns({ settings, limits }) > MAX_PATTERNS)
        throw new ConfigError(`more than ${MAX_PATTERNS} expressions`);
      return { settings, limits, directories: [] };
    },
    undefined,
    location,
  );
  const usable = scope !== undefined && !diagnostics.failed;
  return { scope: usable ? scope : denyEverything(file), findings: diagnostics.findings };
}

function denyEverything(file: string): Scope {
  const location = { file, line: 1 };
  const limit = { ...newLimit(['ALL'], location), denyAll: true };
  return { settings: {}, limits: [limit], directories: [] };
}
