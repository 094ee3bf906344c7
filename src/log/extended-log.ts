/** Which ExtendedLogs a command goes to, and their compiled formats. */
import type { ExtendedLogTarget, ServerConfig } from '../config/server-config.ts';
import { DEFAULT_LOG_FORMAT, compileLogFormat, type LogFormatter } from './log-format.ts';
import type { CommandRecord } from './session-log.ts';

/** EXIT must be asked for by name; every other class is part of ALL. */
export function logsCommand(
  target: ExtendedLogTarget,
  record: Pick<CommandRecord, 'verb' | 'classes'>,
): boolean {
  if (target.excludedCommands.includes(record.verb)) return false;
  if (target.commands.includes(record.verb)) return true;
  if (record.classes.some((name) => target.excludedClasses.includes(name))) return false;
  const onlyCommands = target.classes.length === 0 && target.commands.length > 0;
  const all = (target.classes.length === 0 && !onlyCommands) || target.classes.includes('ALL');
  if (all && !record.classes.includes('EXIT')) return true;
  return record.classes.some((name) => target.classes.includes(name));
}

const compiled = new WeakMap<ServerConfig, Map<string, LogFormatter>>();

/** The formatter of a nickname, compiled once per configuration; an unknown nickname means the default format. */
export function formatterFor(config: ServerConfig, nickname: string): LogFormatter {
  let formatters = compiled.get(config);
  if (formatters === undefined) {
    formatters = new Map();
    compiled.set(config, formatters);
  }
  let formatter = formatters.get(nickname);
  if (formatter === undefined) {
    formatter = compileLogFormat(
      config.logFormats.get(nickname) ?? config.logFormats.get('default') ?? DEFAULT_LOG_FORMAT,
    );
    formatters.set(nickname, formatter);
  }
  return formatter;
}
