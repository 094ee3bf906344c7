/**
 * Enters FIPS mode: this process replaces itself (execve(2): process id, descriptors, signals and standard streams stay)
 * by Node started in forced FIPS mode, so that OpenSSL has never worked in any other. The new process proves what it is
 * before it does anything else, always: the mark that it was replaced decides only that a failed proof is final.
 */
import { readFileSync } from 'node:fs';
import {
  fipsMode,
  hasServiceIndicators,
  loadedFipsModule,
  type FipsMode,
  type LoadedFipsModule,
} from '../../crypto/fips-module.ts';
import { collectFipsIndicators, expectProbeIndicator } from '../../crypto/fips-indicators.ts';
import { fipsNodeOptions, withoutOpensslOptions } from '../../crypto/fips-module-config.ts';
import { probeFailures, runFipsProbes } from '../../crypto/fips-probes.ts';
import { FipsError } from './fips-error.ts';
import { checkInstallation, findModule, useModule, type FipsInstallation } from './fips-install.ts';
import { fipsEnabledLines, fipsRefusalText, type FipsRequest } from './fips-request.ts';
import { clientReadsErrors, hideOutputFromClient, reportToSyslog } from './inetd.ts';

/** Set for the process that replaces this one, and for the daemon it starts; removed before anything else could see it. */
const REPLACED_MARK = 'LOCKGATE_FIPS_REPLACED';

export interface FipsStart {
  readonly request: FipsRequest;
  /** --fips-module. */
  readonly moduleFlag: string | null;
  readonly stateFolder: string;
  /** Print the line of success: not where another process of this start does. */
  readonly announces: boolean;
  /** The mark stays for a process this one starts. */
  readonly startsDaemon: boolean;
}

/**
 * Null: this process is in FIPS mode, proven. A number: it cannot be had, the reason is printed, exit with it. Else it
 * does not return: the process has been replaced.
 */
export async function enterFips(start: FipsStart): Promise<number | null> {
  try {
    if (process.env[REPLACED_MARK] === undefined) await replaceProcess(start);
    requireModule();
    proveFipsMode(checkInstallation(start.stateFolder));
    if (!start.startsDaemon) delete process.env[REPLACED_MARK];
    if (start.announces && !clientReadsErrors())
      process.stderr.write(
        fipsEnabledLines(start.request)
          .map((line) => `${line}\n`)
          .join(''),
      );
    return null;
  } catch (error) {
    if (!(error instanceof FipsError)) throw error;
    await refuse(start.request, error.message);
    return 1;
  }
}

async function replaceProcess(start: FipsStart): Promise<never> {
  const path = findModule(start.moduleFlag, process.env, start.stateFolder);
  const installation = await useModule(path, start.stateFolder);
  const program = process.argv[1];
  if (process.execve === undefined || program === undefined)
    throw new FipsError('this platform cannot start Node.js again in FIPS mode');
  const options = [
    ...withoutOpensslOptions(process.execArgv),
    ...fipsNodeOptions(installation.libraryConfig, installation.mode),
  ];
  const { OPENSSL_CONF: _configuration, ...environment } = process.env;
  process.execve(process.execPath, [process.execPath, ...options, program, ...process.argv.slice(2)], {
    ...environment,
    [REPLACED_MARK]: '1',
  });
  throw new FipsError('Node.js could not be started again in FIPS mode');
}

/** Throws FipsError unless this process runs the installed module, in the mode it needs, and every probe passes. */
export function proveFipsMode(installation: FipsInstallation): void {
  const loaded = requireModule();
  const different = differenceFrom(installation, loaded, fipsMode());
  if (different !== null) throw new FipsError(different);
  collectFipsIndicators();
  const failures = probeFailures(runFipsProbes());
  expectProbeIndicator();
  if (failures !== '') throw new FipsError(`the module does not behave as one: ${failures}`);
  requireMapped(installation.module.path);
}

/** First of all: where the property query is set and no module is there, not even a digest can be computed. */
function requireModule(): LoadedFipsModule {
  const loaded = loadedFipsModule();
  if (fipsMode() === 'off' || loaded === null)
    throw new FipsError('no FIPS module is active in this process');
  return loaded;
}

/** How the loaded module differs from the installed one; null when it does not. */
export function differenceFrom(
  installation: FipsInstallation,
  loaded: LoadedFipsModule,
  mode: FipsMode,
): string | null {
  const { module } = installation.module;
  for (const key of ['name', 'version', 'buildInfo'] as const)
    if (loaded[key] !== module[key])
      return `the loaded module says ${key} '${loaded[key]}', the installed one is '${module[key]}'`;
  if (hasServiceIndicators(loaded.version) && mode !== 'strict')
    return `module ${loaded.version} has service indicators and they are not enforced (mode ${mode})`;
  return null;
}

/** The module's file is in this process's memory: the one that was checked, and no other of that name. */
function requireMapped(path: string): void {
  if (process.platform !== 'linux') return;
  const maps = readFileSync('/proc/self/maps', 'latin1');
  if (!maps.split('\n').some((line) => line.endsWith(` ${path}`)))
    throw new FipsError(`the loaded module is not '${path}'`);
}

async function refuse(request: FipsRequest, reason: string): Promise<void> {
  const text = fipsRefusalText(request, reason);
  if (!clientReadsErrors()) {
    process.stderr.write(text);
    return;
  }
  await hideOutputFromClient();
  for (const line of text.trimEnd().split('\n')) reportToSyslog(line);
}
