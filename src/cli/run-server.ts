/** Runs the server in this process: in the foreground, or as the daemon its parent waits for. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { watchFipsIndicators } from '../../crypto/fips-indicators.ts';
import { fipsMode } from '../../crypto/fips-module.ts';
import { FipsProbeError } from '../../crypto/fips-probes.ts';
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
import { reportQuestion, reportReady } from './daemon-descriptors.ts';
import { fipsEnabledLines, fipsRefusalText, fipsRequest } from './fips-request.ts';
import { clientReadsErrors, hideOutputFromClient, inheritedConnection, reportToSyslog } from './inetd.ts';
import { handleSignals } from './signals.ts';
import { stateFolderOf, STATE_FILES } from './state-folder.ts';
import { terminalPrompt } from './terminal-prompt.ts';
import {
  firstSteps,
  prepareZeroConfiguration,
  StateFolderError,
  type ZeroConfiguration,
} from './zero-config.ts';

const ROOT_PID_FILE = '/run/lockgate.pid';
const STANDARD_ERROR = 2;

/**
 * How much a thread's heap may grow, in percent of what was live, before all of it is collected. V8 chooses 10 here,
 * because sessions leave little garbage in its own heap; but every socket accounts for 64 KiB of read buffer, so it
 * collected every hundred transfers, for a quarter of the server's time (bench/NOTES.md). V8's own upper limit is 300.
 */
const HEAP_GROWTH_PERCENT = 200;

/** Starts the server. Returns an exit code when it does not start, null while it runs. */
export async function runServer(flags: RunFlags): Promise<number | null> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const isSilent = clientReadsErrors();
  if (isSilent) await hideOutputFromClient();
  try {
    const zero =
      flags.configFile === null
        ? await prepareZeroConfiguration(stateFolderOf(flags.stateFolder, process.env), flags.port)
        : null;
    try {
      await start(flags, zero, isSilent);
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
    const text = operatorText(error, flags);
    process.stderr.write(`${text}\n`);
    if (isSilent) reportToSyslog(text);
    if (error instanceof ListenError && error.code === 'EADDRINUSE' && flags.configFile === null) {
      process.stderr.write(`       edit Port in '${configFileOf(flags)}', or start with --port PORT\n`);
    }
    return 1;
  }
}

/** What the operator reads about a start that failed. */
function operatorText(error: Error, flags: RunFlags): string {
  if (error instanceof ConfigError) return error.toString();
  if (error instanceof FipsProbeError) {
    const request = fipsRequest(flags.defines, process.env) ?? { modules: [] };
    return fipsRefusalText(request, error.message).trimEnd();
  }
  return `fatal: ${error.message}`;
}

async function start(flags: RunFlags, zero: ZeroConfiguration | null, isSilent: boolean): Promise<void> {
  const file = configFileOf(flags);
  let pidFile: PidFile | null = null;
  let serverType: Settings['serverType'] | null = null;
  let connection: Socket | null = null;
  const stopped = (exitCode: number): void => {
    pidFile?.remove();
    process.exit(exitCode);
  };
  const request = fipsRequest(flags.defines, process.env);
  const actor: MainActor = new MainActor({
    load: async (version) => {
      const loaded = await loadConfig({ ...loadOptions(flags, file, version), source: sourceFor(actor) });
      serverType = requireServerType(loaded.config, serverType, flags);
      if (serverType === 'inetd') connection ??= inheritedConnection();
      return loaded;
    },
    createAuth: createStandardAuth,
    consoleDescriptor: flags.daemonChild || flags.quiet || isSilent ? null : STANDARD_ERROR,
    debugLevel: flags.debugLevel,
    ownsProcess: true,
    anyPort: false,
    sessionsPerWorker: DEFAULT_SESSIONS_PER_WORKER,
    workers: null,
    fipsLines: request === null ? [] : fipsEnabledLines(request),
    askPassPhrase: terminalPrompt(flags.daemonChild ? reportQuestion : undefined),
    onListening: () => handleSignals(actor, stopped),
    onFatal: () => stopped(1),
    beforeUser: (settings) => {
      if (settings.serverType === 'standalone') pidFile = writePidFile(pidFilePath(settings, flags));
    },
  });
  // However the process ends, a script that finds the file may trust it.
  process.on('exit', () => pidFile?.remove());
  if (fipsMode() !== 'off') watchFipsIndicators((text) => actor.log.daemon('warn', text));
  await actor.start();
  if (connection !== null) return serveInherited(actor, connection, stopped);
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

/** ServerType of a configuration that this process can serve. Throws ConfigError. */
function requireServerType(
  config: ServerConfig,
  running: Settings['serverType'] | null,
  flags: RunFlags,
): Settings['serverType'] {
  const type = config.virtualHosts[0]?.settings.serverType ?? 'standalone';
  const directive = 'ServerType';
  if (running !== null && type !== running)
    throw new ConfigError('cannot be changed while the server runs', { directive });
  if (type === 'inetd' && flags.daemonChild)
    throw new ConfigError('inetd serves the connection on standard input; start with -n', { directive });
  return type;
}

/** One session on the connection inetd accepted, and with it the end of the process. */
async function serveInherited(
  actor: MainActor,
  connection: Socket,
  stopped: (exitCode: number) => void,
): Promise<void> {
  const ended = once(actor, 'logout');
  if (actor.serveConnection(connection)) await ended;
  await actor.stop(0);
  stopped(0);
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
    error instanceof FipsProbeError ||
    error instanceof ListenError ||
    error instanceof StateFolderError ||
    error instanceof PidFileError
  );
}
