/** Finds the FIPS module, makes its configuration in the state folder and checks it again at every start. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  digestsOf,
  isPlainPath,
  libraryConfigText,
  moduleConfigText,
  systemModuleFiles,
  type ModuleDigests,
} from '../../crypto/fips-module-config.ts';
import { hasServiceIndicators, type LoadedFipsModule } from '../../crypto/fips-module.ts';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '../main/modes.ts';
import { FipsError } from './fips-error.ts';
import { askSelfTestChild } from './fips-self-test.ts';

/** What an installation wrote down about the module, beside its configuration. */
export interface InstalledModule extends ModuleDigests {
  readonly path: string;
  readonly module: LoadedFipsModule;
  /** When its self tests passed here (ISO 8601). */
  readonly installed: string;
}

export interface FipsInstallation {
  readonly module: InstalledModule;
  readonly moduleConfig: string;
  readonly libraryConfig: string;
  readonly mode: 'strict' | 'provider';
}

export const FIPS_FILES = {
  moduleConfig: 'fipsmodule.cnf',
  libraryConfig: 'openssl.cnf',
  record: 'module.json',
} as const;

/** Where the FIPS files of a state folder are. */
export function fipsFolder(stateFolder: string): string {
  return join(stateFolder, 'fips');
}

/**
 * The module a start means: --fips-module (file or folder), else OPENSSL_MODULES, else the installed one, else the first in
 * the system's module folders. Throws FipsError, naming every place that was looked at.
 */
export function findModule(flag: string | null, environment: NodeJS.ProcessEnv, stateFolder: string): string {
  const folder = environment['OPENSSL_MODULES'];
  const [fileName = 'fips.so'] = systemModuleFiles().map((path) => path.slice(path.lastIndexOf('/') + 1));
  if (flag !== null) {
    const path = isFolder(resolve(flag)) ? join(resolve(flag), fileName) : resolve(flag);
    if (isFile(path)) return realpathSync(path);
    throw new FipsError(`no FIPS module at '${path}' (--fips-module)`);
  }
  if (folder !== undefined && folder !== '') {
    const path = resolve(folder, fileName);
    if (isFile(path)) return realpathSync(path);
    throw new FipsError(`no FIPS module at '${path}' (OPENSSL_MODULES)`);
  }
  const installed = readRecord(stateFolder);
  if (installed !== null) return installed.path;
  const found = systemModuleFiles().find(isFile);
  if (found !== undefined) return realpathSync(found);
  throw new FipsError(
    `no FIPS module found (looked at ${systemModuleFiles().join(', ')}); name it with --fips-module PATH`,
  );
}

/** The configuration of this module, checked if there is one, else made now. Throws FipsError. */
export async function useModule(modulePath: string, stateFolder: string): Promise<FipsInstallation> {
  const installed = readRecord(stateFolder);
  return installed !== null && installed.path === modulePath
    ? checkInstallation(stateFolder)
    : installModule(modulePath, stateFolder);
}

/**
 * Loads the module in a child process (its integrity check and all known-answer tests run there), runs the probes, and
 * only then writes the configuration. Throws FipsError.
 * @param expectedSha256 of the build that is meant (hexadecimal): the first installation has nothing else to compare with
 */
export async function installModule(
  modulePath: string,
  stateFolder: string,
  expectedSha256: string | null = null,
): Promise<FipsInstallation> {
  const folder = fipsFolder(stateFolder);
  const paths = pathsIn(folder);
  for (const path of [modulePath, paths.moduleConfig])
    if (!isPlainPath(path))
      throw new FipsError(
        `OpenSSL's configuration cannot name the path '${path}'; use letters, digits and ._-`,
      );
  const digests = digestsOfModule(modulePath);
  if (expectedSha256 !== null && digests.sha256 !== expectedSha256.toLowerCase())
    throw new FipsError(
      `module '${modulePath}' is another one: SHA-256 ${digests.sha256}, not ${expectedSha256}`,
    );
  const trial = join(folder, `trial-${randomUUID()}`);
  try {
    mkdirSync(trial, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    writeConfiguration(trial, modulePath, digests.mac);
    const module = await provenModule(join(trial, FIPS_FILES.libraryConfig), modulePath);
    const record: InstalledModule = {
      path: modulePath,
      ...digests,
      module,
      installed: new Date().toISOString(),
    };
    writeConfiguration(trial, modulePath, digests.mac, paths.moduleConfig);
    writeText(join(trial, FIPS_FILES.record), `${JSON.stringify(record, null, 2)}\n`);
    // The record last: it says that the other two are there.
    for (const name of [FIPS_FILES.moduleConfig, FIPS_FILES.libraryConfig, FIPS_FILES.record])
      renameSync(join(trial, name), join(folder, name));
    return installationOf(record, folder);
  } catch (error) {
    if (error instanceof FipsError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new FipsError(`the module configuration cannot be written in '${folder}': ${code}`, {
      cause: error,
    });
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}

/**
 * The installed module, unchanged since its installation: file, MAC and both configuration files. Throws FipsError with
 * what is different.
 */
export function checkInstallation(stateFolder: string): FipsInstallation {
  const folder = fipsFolder(stateFolder);
  const record = readRecord(stateFolder);
  if (record === null)
    throw new FipsError(`no FIPS module is installed in '${folder}'; run 'lockgate fips install'`);
  const { mac } = digestsOfModule(record.path);
  if (mac !== record.mac)
    throw new FipsError(
      `module '${record.path}' has changed since its installation of ${record.installed} (MAC ${mac}, was ` +
        `${record.mac}): damaged or replaced; if it was upgraded, run 'lockgate fips install'`,
    );
  const paths = pathsIn(folder);
  requireText(paths.moduleConfig, moduleConfigText(record.path, record.mac));
  requireText(paths.libraryConfig, libraryConfigText(paths.moduleConfig));
  return installationOf(record, folder);
}

/** What was installed in this state folder; null when nothing was. Throws FipsError for a record that cannot be read. */
export function readRecord(stateFolder: string): InstalledModule | null {
  const path = join(fipsFolder(stateFolder), FIPS_FILES.record);
  try {
    const record: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(record)) return record;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code !== undefined) throw new FipsError(`'${path}' cannot be read: ${code}`, { cause: error });
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new FipsError(`'${path}' is damaged; run 'lockgate fips install'`);
}

function isRecord(value: unknown): value is InstalledModule {
  const record = value as Partial<InstalledModule> | null;
  return (
    typeof record === 'object' &&
    record !== null &&
    [record.path, record.sha256, record.mac, record.installed].every((text) => typeof text === 'string') &&
    typeof record.module === 'object' &&
    [record.module?.name, record.module?.version, record.module?.buildInfo].every(
      (text) => typeof text === 'string',
    )
  );
}

async function provenModule(libraryConfig: string, modulePath: string): Promise<LoadedFipsModule> {
  const answer = await askSelfTestChild(libraryConfig);
  if (answer.kind === 'failed') throw new FipsError(`module '${modulePath}' did not start: ${answer.reason}`);
  if (!answer.selfTestPassed) throw new FipsError(`module '${modulePath}' fails its known-answer tests`);
  if (answer.probeFailures !== '')
    throw new FipsError(`module '${modulePath}' does not behave as one: ${answer.probeFailures}`);
  return answer.module;
}

function installationOf(module: InstalledModule, folder: string): FipsInstallation {
  return {
    module,
    ...pathsIn(folder),
    mode: hasServiceIndicators(module.module.version) ? 'strict' : 'provider',
  };
}

function pathsIn(folder: string): { moduleConfig: string; libraryConfig: string } {
  return {
    moduleConfig: join(folder, FIPS_FILES.moduleConfig),
    libraryConfig: join(folder, FIPS_FILES.libraryConfig),
  };
}

function writeConfiguration(folder: string, modulePath: string, mac: string, finalConfig?: string): void {
  const moduleConfig = join(folder, FIPS_FILES.moduleConfig);
  writeText(moduleConfig, moduleConfigText(modulePath, mac));
  writeText(join(folder, FIPS_FILES.libraryConfig), libraryConfigText(finalConfig ?? moduleConfig));
}

function writeText(path: string, text: string): void {
  writeFileSync(path, text, { mode: PRIVATE_FILE_MODE });
}

function requireText(path: string, expected: string): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FipsError(`'${path}' cannot be read: ${code ?? 'unknown error'}; run 'lockgate fips install'`, {
      cause: error,
    });
  }
  if (text === expected) return;
  const disabled =
    expected.includes('activate = 1') && !/^\s*activate\s*=\s*(1|yes|true|on)\s*$/im.test(text);
  throw new FipsError(
    `'${path}' ${disabled ? 'disables the module' : 'is not what was installed'}; run 'lockgate fips install'`,
  );
}

function digestsOfModule(path: string): ModuleDigests {
  const bytes = readModule(path);
  try {
    return digestsOf(bytes);
  } catch (error) {
    // An OPENSSL_CONF or Node option of the caller that leaves OpenSSL without SHA-256.
    throw new FipsError(
      'OpenSSL cannot compute SHA-256 in this environment; check OPENSSL_CONF and NODE_OPTIONS',
      {
        cause: error,
      },
    );
  }
}

function readModule(path: string): Uint8Array {
  try {
    if ((statSync(path).mode & 0o022) !== 0)
      throw new FipsError(`module '${path}' can be changed by others (mode g+w or o+w)`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof FipsError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new FipsError(`module '${path}' cannot be read: ${code ?? 'unknown error'}`, { cause: error });
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
