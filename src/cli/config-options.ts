/** From command-line flags to the options of loadConfig. */
import { resolve } from 'node:path';
import type { LoadOptions } from '../config/load-config.ts';
import type { RunFlags } from './command-line.ts';
import { definesWithFips } from './fips-request.ts';
import { stateFolderOf, STATE_FILES } from './state-folder.ts';

/** The file of -c, else the one in the state folder. */
export function configFileOf(flags: RunFlags): string {
  return flags.configFile === null
    ? resolve(stateFolderOf(flags.stateFolder, process.env), STATE_FILES.config)
    : resolve(flags.configFile);
}

export function loadOptions(flags: RunFlags, file: string, version: number): LoadOptions {
  return {
    file,
    version,
    defines: definesWithFips(flags.defines, process.env),
    environment: process.env,
    ...(flags.serverAddress === null ? {} : { serverAddress: [flags.serverAddress] }),
    ...(flags.noVirtualHostCheck ? { checkAddressConflicts: false } : {}),
    ...(flags.useIPv6 === null ? {} : { useIPv6: flags.useIPv6 }),
  };
}
