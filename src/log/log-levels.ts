/** syslog severities (RFC 5424, section 6.2.1) as SyslogLevel names them, and their pino counterparts. */
import type { LogLevel } from './session-log.ts';

/** Smaller is more severe. */
export const SEVERITY: Readonly<Record<LogLevel, number>> = {
  emerg: 0,
  alert: 1,
  crit: 2,
  error: 3,
  warn: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

/** pino's levels grow with severity; `notice` is ours, between info and warn. */
export const PINO_LEVELS: Readonly<Record<LogLevel, number>> = {
  emerg: 80,
  alert: 70,
  crit: 60,
  error: 50,
  warn: 40,
  notice: 35,
  info: 30,
  debug: 20,
};

/** True when `level` is at least as severe as SyslogLevel's `threshold`; an unknown threshold counts as notice. */
export function passesLevel(level: LogLevel, threshold: string): boolean {
  return SEVERITY[level] <= (SEVERITY[threshold as LogLevel] ?? SEVERITY.notice);
}

export function levelFromPino(value: number): LogLevel {
  for (const level of Object.keys(PINO_LEVELS) as LogLevel[]) if (value >= PINO_LEVELS[level]) return level;
  return 'debug';
}
