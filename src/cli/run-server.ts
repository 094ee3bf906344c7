/** Runs the server in this process: in the foreground, or as the daemon its parent waits for. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../config/config-error.ts';
import { fileSystemSource, type ConfigSource } from '../config/config-source.ts';
import { loadConfig } from '../config/load-config.ts';
import type { ServerConfig, Settings } from '../config/server-config.ts';
import { ListenError } from '../main/listeners.ts';
import { MainActor } from '../main/main-actor.ts';
import { PRIVATE_DIRECTORY_MODE } from '../main/modes.ts';
import { PidFileError, writePidFile, type PidFile } from '../main/pid-file.ts';
import { asRoot } from '../main/privileged.ts';
import { createStandardAuth, DEFAULT_SESSIONS_PER_WORKER } from '../main/standard-parts.ts';
import type { RunFlags } from './command-line.ts';
import { configFileOf, loadOptions } from './config-options.ts';
import { reportReady } from './daemon-descriptors.ts';
import { handleSignals } from './signals.ts';
import { stateFolderOf, STATE_FILES } from './state-folder.ts';
import {
  firstSteps,
  prepareZeroConfiguration,
  StateFolderError,
  type ZeroConfiguration,
} from './zero-config.ts';

const ROOT_PID_FILE = '/run/lockgate.pid';
const STANDARD_ERROR = 2;

/** Starts the server. Returns an exit code when it does not start, null while it runs. */
export async function runServer(flags: RunFlags): Promise<number | null> {
  try {
    const zero =
      flags.configFile === null
        ? await prepareZeroConfiguration(stateFolderOf(flags.stateFolder, process.env), flags.port)
        : null;
    try {
      await start(flags, zero);
    } catch (error) {
      // The account was made by this very start; without this line nobody could ever log in.
      if (zero !== null && zero.password !== null)
        process.stderr.write(
          `lockgate: user ${zero.user}, password ${zero.password.reveal()} (shown this once)\n`,
        );
      throw error;
    }
    return null;
  } catch (error) {
    if (!isOperatorError(error)) throw error;
    process.stderr.write(`${error instanceof ConfigError ? error.toString() : `fatal: ${error.message}`}\n`);
    if (error instanceof ListenError && error.code === 'EADDRINUSE' && flags.configFile === null) {
      process.stderr.write(`       edit Port in '${configFileOf(flags)}', or start with --port PORT\n`);
    }
    return 1;
  }
}

async function start(flags: RunFlags, zero: ZeroConfiguration | null): Promise<void> {
  const file = configFileOf(flags);
  let pidFile: PidFile | null = null;
  const actor: MainActor = new MainActor({
    load: async (version) => {
      const loaded = await loadConfig({ ...loadOptions(flags, file, version), source: sourceFor(actor) });
      requireStandalone(loaded.config);
      return loaded;
    },
    createAuth: createStandardAuth,
    consoleDescriptor: flags.daemonChild || flags.quiet ? null : STANDARD_ERROR,
    debugLevel: flags.debugLevel,
    ownsProcess: true,
    anyPort: false,
    sessionsPerWorker: DEFAULT_SESSIONS_PER_WORKER,
    workers: null,
    beforeUser: (settings) => {
      pidFile = writePidFile(pidFilePath(settings, flags));
    },
  });
  // However the process ends, a script that finds the file may trust it.
  process.on('exit', () => pidFile?.remove());
  await actor.start();
  handleSignals(actor, (exitCode) => {
    pidFile?.remove();
    process.exit(exitCode);
  });
  if (zero !== null && !flags.quiet)
    process.stdout.write(`${zero.notices.map((line) => `${line}\n`).join('')}${firstSteps(zero)}`);
  if (flags.daemonChild) await reportReady();
}

/** After a reload's SIGHUP the configuration may be readable by root only. */
function sourceFor(actor: MainActor): ConfigSource {
  const { identity } = actor;
  return {
    readFile: (path) => asRoot(identity, () => fileSystemSource.readFile(path)),
    listDirectory: (path) => asRoot(identity, () => fileSystemSource.listDirectory(path)),
    kindOf: (path) => asRoot(identity, () => fileSystemSource.kindOf(path)),
  };
}

function requireStandalone(config: ServerConfig): void {
  const main = config.virtualHosts[0];
  if (main === undefined || (main.settings.serverType ?? 'standalone') === 'standalone') return;
  throw new ConfigError(
    'inetd is not supported: sessions run in worker threads of one server; use standalone',
    {
      directive: 'ServerType',
    },
  );
}

function pidFilePath(settings: Settings, flags: RunFlags): string {
  if (settings.pidFile !== null) return settings.pidFile;
  if (process.getuid?.() === 0) return ROOT_PID_FILE;
  const folder = stateFolderOf(flags.stateFolder, process.env);
  mkdirSync(folder, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  return join(folder, STATE_FILES.pid);
}

function isOperatorError(error: unknown): error is Error {
  return (
    error instanceof ConfigError ||
    error instanceof ListenError ||
    error instanceof StateFolderError ||
    error instanceof PidFileError
  );
}
