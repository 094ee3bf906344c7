/** syslog(3) of the C library through FFI: where SystemLog is not set, and for `ExtendedLog syslog:LEVEL`. */
import { SEVERITY } from './log-levels.ts';
import type { LogLevel } from './session-log.ts';

const FACILITIES: Readonly<Record<string, number>> = {
  KERN: 0,
  USER: 1,
  MAIL: 2,
  DAEMON: 3,
  AUTH: 4,
  LPR: 6,
  NEWS: 7,
  UUCP: 8,
  CRON: 9,
  AUTHPRIV: 10,
  FTP: 11,
  LOCAL0: 16,
  LOCAL1: 17,
  LOCAL2: 18,
  LOCAL3: 19,
  LOCAL4: 20,
  LOCAL5: 21,
  LOCAL6: 22,
  LOCAL7: 23,
};

type SyslogCall = (priority: number, format: string, text: string) => void;
let call: SyslogCall | null | undefined;

async function load(): Promise<SyslogCall | null> {
  try {
    const { default: ffi } = await import('node:ffi');
    const { functions } = ffi.dlopen(null, {
      syslog: { arguments: ['i32', 'string', 'string'], return: 'void' },
    });
    return (priority, format, text) => functions.syslog(priority, format, text);
  } catch (error) {
    process.stderr.write(
      `lockgate: syslog is not available (${(error as Error).message}); set SystemLog to a file\n`,
    );
    return null;
  }
}

/** Loads the library once; call it at start, before the first line. */
export async function openSyslog(): Promise<void> {
  call ??= await load();
}

/** Sends one line; silently nothing when openSyslog found no library (it said so). */
export function sendSyslog(facility: string, level: LogLevel, text: string): void {
  if (!call) return;
  const code = FACILITIES[facility.toUpperCase()] ?? FACILITIES['DAEMON']!;
  // The text is an argument, never the format: a `%n` in a file name stays a file name.
  call((code << 3) | SEVERITY[level], '%s', text);
}
