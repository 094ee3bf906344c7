/** All commands of the server, by verb. A verb that stands in two rows is a mistake of ours and stops the start. */
import type { FtpCommand } from '../command.ts';
import { directoryCommands } from './directories.ts';
import { factCommands } from './facts.ts';
import { fileCommands } from './files.ts';
import { hostCommands } from './host.ts';
import { informationCommands } from './information.ts';
import { listingCommands } from './listing.ts';
import { loginCommands } from './login.ts';
import { optionCommands } from './options.ts';
import { parameterCommands } from './parameters.ts';
import { securityCommands } from './security.ts';
import { siteCommands } from './site.ts';
import { transferCommands } from './transfer.ts';

function byVerb(rows: readonly FtpCommand[]): ReadonlyMap<string, FtpCommand> {
  const commands = new Map<string, FtpCommand>();
  for (const row of rows) {
    for (const verb of row.verbs) {
      if (commands.has(verb)) throw new Error(`two rows for the FTP command ${verb}`);
      commands.set(verb, row);
    }
  }
  return commands;
}

/** Canonical names and their aliases, upper case. */
export const ftpCommands: ReadonlyMap<string, FtpCommand> = byVerb([
  ...loginCommands,
  ...securityCommands,
  ...hostCommands,
  ...informationCommands,
  ...optionCommands,
  ...directoryCommands,
  ...fileCommands,
  ...factCommands,
  ...parameterCommands,
  ...transferCommands,
  ...listingCommands,
  ...siteCommands,
]);
