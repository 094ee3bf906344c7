/** SystemLog and ServerLog: ProFTPD's line format, which fail2ban-style tools read. */
import { hostname } from 'node:os';
import type { ServerConfig, Settings } from '../config/server-config.ts';
import { appendLine } from './log-sink.ts';
import { escapeControls } from './log-text.ts';
import { passesLevel } from './log-levels.ts';
import { CONSOLE_LOG } from './operation-log.ts';
import type { LogLevel } from './session-log.ts';
import { logStamp } from './strftime.ts';
import { sendSyslog } from './syslog.ts';

/** `client` is null for lines of the daemon itself. */
export interface SystemLogSource {
  readonly serverHost: string;
  readonly client: { readonly name: string; readonly address: string } | null;
}

const HOST = hostname();

/** `YYYY-MM-DD HH:MM:SS,mmm HOST proftpd[PID] VHOST (NAME[IP]): TEXT`; LogOptions takes parts away. */
export function formatSystemLine(
  settings: Settings,
  source: SystemLogSource,
  text: string,
  at: Date,
): string {
  const { timestamp, hostname: withHost, virtualHost } = settings.logOptions;
  const stamp = timestamp ? `${logStamp(at)} ` : '';
  const host = withHost ? `${HOST} ` : '';
  const server = virtualHost ? ` ${source.serverHost}` : '';
  const client =
    source.client === null ? '' : ` (${escapeControls(source.client.name)}[${source.client.address}])`;
  return `${stamp}${host}proftpd[${process.pid}]${server}${client}: ${escapeControls(text)}\n`;
}

/**
 * Writes to ServerLog, else SystemLog, else (neither set, no console) to syslog. Lines less severe than SyslogLevel
 * are dropped, and so are all where the log is `none`.
 */
export function writeSystemLine(
  config: Pick<ServerConfig, 'logDescriptors' | 'virtualHosts'>,
  settings: Settings,
  source: SystemLogSource,
  level: LogLevel,
  text: string,
): void {
  if (!passesLevel(level, settings.syslogLevel)) return;
  const path = settings.serverLog ?? settings.systemLog ?? config.virtualHosts[0]?.settings.systemLog ?? null;
  const descriptor = path === null ? undefined : config.logDescriptors.get(path);
  if (descriptor !== undefined) {
    appendLine(descriptor, formatSystemLine(settings, source, text, new Date()));
  } else if (path === null && !config.logDescriptors.has(CONSOLE_LOG)) {
    const client = source.client === null ? '' : ` (${source.client.name}[${source.client.address}])`;
    sendSyslog(settings.syslogFacility, level, escapeControls(`${source.serverHost}${client}: ${text}`));
  }
}
