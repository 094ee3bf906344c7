/** The SessionLog of one session: formats lines and appends them to the descriptors main opened. */
import type { EffectiveConfig } from '../config/effective-config.ts';
import { LOCKGATE_VERSION, MOD_SFTP_VERSION, MOD_TLS_VERSION } from '../version.ts';
import { formatterFor, logsCommand } from './extended-log.ts';
import { fullCommand } from './log-format.ts';
import { appendLine } from './log-sink.ts';
import { escapeControls } from './log-text.ts';
import { PINO_LEVELS } from './log-levels.ts';
import type { OperationLog } from './operation-log.ts';
import type { CommandRecord, LogLevel, SessionFacts, SessionLog, TransferRecord } from './session-log.ts';
import { logStamp } from './strftime.ts';
import { sendSyslog } from './syslog.ts';
import { writeSystemLine } from './system-log.ts';
import { formatTransferLine } from './transfer-log.ts';

export interface SessionLogOptions {
  /** The configuration in force now; HOST, SNI and login change it. */
  readonly config: () => EffectiveConfig;
  readonly facts: SessionFacts;
  readonly operations: OperationLog;
}

/** The name %V prints: the virtual host's first address, or its name where the configuration gives one. */
export function serverHostOf(config: EffectiveConfig): string {
  return config.settings.serverAlias[0] ?? config.virtualHost.addresses[0] ?? config.settings.serverName;
}

export function createSessionLog(options: SessionLogOptions): SessionLog {
  const { facts } = options;
  // DebugLevel of the server the client connected to; `-d` made the parent's level debug for all.
  const debug = options.operations.level !== 'silent' && options.config().settings.debugLevel > 0;
  const operations = options.operations.child(
    { session: facts.sessionId, client: facts.remoteAddress },
    debug ? { level: 'debug' } : {},
  );

  function system(level: LogLevel, text: string): void {
    const config = options.config();
    if (PINO_LEVELS[level] >= PINO_LEVELS[operations.level as LogLevel]) operations[level](text);
    const source = {
      serverHost: serverHostOf(config),
      client: { name: facts.remoteName, address: facts.remoteAddress },
    };
    writeSystemLine(config.server, config.settings, source, level, text);
  }

  function tls(text: string): void {
    operations.debug(`tls: ${text}`);
    trace('tls', 5, () => text);
    moduleLine(options.config().settings.tlsLog, `mod_tls/${MOD_TLS_VERSION}`, text);
  }

  function sftp(text: string): void {
    operations.debug(`sftp: ${text}`);
    trace('ssh2', 5, () => text);
    moduleLine(options.config().settings.sftpLog, `mod_sftp/${MOD_SFTP_VERSION}`, text);
  }

  /** A line of a module's own log file. */
  function moduleLine(path: string | null, module: string, text: string): void {
    const descriptor = descriptorOf(options.config(), path);
    if (descriptor === undefined) return;
    appendLine(descriptor, `${logStamp(new Date())} ${module}[${process.pid}]: ${escapeControls(text)}\n`);
  }

  function trace(channel: string, level: number, text: () => string): void {
    const config = options.config();
    const { trace: channels, traceLog } = config.settings;
    if (channels.size === 0 || traceLog === null) return;
    const range = channels.get(channel) ?? channels.get('DEFAULT');
    if (range === undefined || level < range.min || level > range.max) return;
    const descriptor = descriptorOf(config, traceLog);
    if (descriptor === undefined) return;
    appendLine(
      descriptor,
      `${logStamp(new Date())} [${process.pid}] <${channel}:${level}>: ${escapeControls(text())}\n`,
    );
  }

  function transfer(record: TransferRecord): void {
    const config = options.config();
    const descriptor = descriptorOf(config, config.settings.transferLog);
    if (descriptor !== undefined) appendLine(descriptor, formatTransferLine(record, facts.remoteName));
  }

  function command(record: CommandRecord): void {
    const config = options.config();
    if (operations.isLevelEnabled('debug')) {
      operations.debug(`${fullCommand(record)}: ${record.replyCode} ${record.replyText}`);
    }
    for (const target of config.settings.extendedLog) {
      if (!logsCommand(target, record)) continue;
      const line = formatterFor(
        config.server,
        target.format,
      )({
        record,
        facts,
        serverName: config.settings.serverName,
        serverHost: serverHostOf(config),
        version: LOCKGATE_VERSION,
      });
      if (target.path.startsWith('syslog:')) {
        sendSyslog(
          config.settings.syslogFacility,
          target.path.slice('syslog:'.length).toLowerCase() as LogLevel,
          line,
        );
      } else {
        const descriptor = descriptorOf(config, target.path);
        if (descriptor !== undefined) appendLine(descriptor, `${line}\n`);
      }
    }
  }

  return { system, tls, sftp, trace, transfer, command };
}

function descriptorOf(config: EffectiveConfig, path: string | null): number | undefined {
  return path === null ? undefined : config.server.logDescriptors.get(path);
}
