/**
 * The log for people who run the server: pino underneath, JSON lines to a file (LockgateLog) and readable lines to
 * the console. ProFTPD's own logs (SystemLog, TLSLog, TransferLog, ExtendedLog) are written beside it, in their formats.
 */
import { pino, type Logger } from 'pino';
import { appendLine } from './log-sink.ts';
import { escapeBytesInJson, escapeControls } from './log-text.ts';
import { PINO_LEVELS, levelFromPino } from './log-levels.ts';
import type { LogLevel } from './session-log.ts';
import { clock, pad } from './strftime.ts';

/** Keys of `ServerConfig.logDescriptors` that are not paths of directives. */
export const CONSOLE_LOG = ':console';
export const STRUCTURED_LOG = ':structured';

export type OperationLog = Logger<LogLevel>;

export interface OperationLogOptions {
  readonly descriptors: ReadonlyMap<string, number>;
  /** Least severe level that is written. */
  readonly level: LogLevel;
}

/** Values under these keys never leave the process, wherever they stand in an object. */
const SECRET_KEYS = ['password', 'passphrase', 'hash', 'secret', 'key'];

export function createOperationLog(options: OperationLogOptions): OperationLog {
  const consoleDescriptor = options.descriptors.get(CONSOLE_LOG);
  const structured = options.descriptors.get(STRUCTURED_LOG);
  const write = (json: string): void => {
    const line = escapeBytesInJson(json);
    if (structured !== undefined) appendLine(structured, line);
    if (consoleDescriptor !== undefined) appendLine(consoleDescriptor, readableLine(line));
  };
  const silent = structured === undefined && consoleDescriptor === undefined;
  return pino<LogLevel>(
    {
      customLevels: PINO_LEVELS,
      useOnlyCustomLevels: true,
      level: silent ? 'silent' : options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '***' },
    },
    { write },
  ) as OperationLog;
}

interface LoggedLine {
  readonly level: number;
  readonly time: string;
  readonly msg?: string;
  readonly session?: number;
  readonly client?: string;
  readonly err?: { readonly stack?: string; readonly message?: string };
}

/** `HH:MM:SS.mmm LEVEL  [session client] text`, the stack of an error indented below it. */
function readableLine(json: string): string {
  const line = JSON.parse(json) as LoggedLine;
  const at = new Date(line.time);
  const level = levelFromPino(line.level).toUpperCase().padEnd(6);
  const who =
    line.session === undefined
      ? ''
      : `[${line.session}${line.client === undefined ? '' : ` ${line.client}`}] `;
  const error =
    line.err === undefined
      ? ''
      : `\n    ${(line.err.stack ?? line.err.message ?? '').split('\n').map(escapeControls).join('\n    ')}`;
  return `${clock(at)}.${pad(at.getMilliseconds(), 3)} ${level} ${who}${escapeControls(line.msg ?? '')}${error}\n`;
}
