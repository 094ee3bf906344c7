/** What main itself logs: the server log in ProFTPD's format and the operation log, together. */
import { ConfigError } from '../config/config-error.ts';
import type { ServerConfig, Settings } from '../config/server-config.ts';
import { createOperationLog, type OperationLog } from '../log/operation-log.ts';
import type { LogLevel } from '../log/session-log.ts';
import { writeSystemLine } from '../log/system-log.ts';

export interface DaemonLog {
  /** A line of the daemon. */
  daemon(level: LogLevel, text: string): void;
  /** A line about one client that has no session actor of its own (yet). */
  client(level: LogLevel, address: string, text: string): void;
  /** An error of ours: its stack goes to the operation log, one line to the server log. */
  failure(text: string, error: unknown): void;
  /** After start and reload: from now on with this configuration's files and levels. */
  useConfig(config: ServerConfig, settings: Settings): void;
}

/** Until useConfig was called, lines go to standard error. */
export function createDaemonLog(logLevel: LogLevel): DaemonLog {
  let current: { config: ServerConfig; settings: Settings; operations: OperationLog } | null = null;

  function write(level: LogLevel, address: string | null, text: string, error?: unknown): void {
    if (current === null) {
      process.stderr.write(`lockgate: ${text}\n`);
      return;
    }
    const { config, settings, operations } = current;
    const bindings = {
      ...(address === null ? {} : { client: address }),
      ...(error === undefined ? {} : { err: error }),
    };
    operations[level](bindings, text);
    const client = address === null ? null : { name: address, address };
    const serverHost = settings.serverAlias[0] ?? config.virtualHosts[0]?.addresses[0] ?? settings.serverName;
    writeSystemLine(config, settings, { serverHost, client }, level, text);
  }

  return {
    daemon: (level, text) => write(level, null, text),
    client: (level, address, text) => write(level, address, text),
    failure: (text, error) => write('error', null, `${text}: ${reasonOf(error)}`, error),
    useConfig(config, settings) {
      current = {
        config,
        settings,
        operations: createOperationLog({
          descriptors: config.logDescriptors,
          level: settings.debugLevel > 0 ? 'debug' : logLevel,
        }),
      };
    },
  };
}

/** A wrong configuration names its place; any other error its message, the stack is in the operation log. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) return error.toString();
  return error instanceof Error ? error.message : String(error);
}
