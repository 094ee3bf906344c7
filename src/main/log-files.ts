/** Opens every log file a configuration names, before root is given up. Workers write to the same descriptors. */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../config/config-error.ts';
import type { PartialSettings, Scope, ServerConfig, VirtualHost } from '../config/server-config.ts';
import { STRUCTURED_LOG } from '../log/operation-log.ts';
import { LOG_FILE_MODE } from './modes.ts';

export interface OpenedLogs {
  /** Path as written in the directive -> descriptor. */
  readonly descriptors: ReadonlyMap<string, number>;
  /** Logs that are refused or cannot be opened but do not keep the server from starting; for the server log. */
  readonly warnings: readonly string[];
}

interface WantedLog {
  readonly directive:
    | 'SystemLog'
    | 'ServerLog'
    | 'TLSLog'
    | 'SFTPLog'
    | 'TransferLog'
    | 'ExtendedLog'
    | 'TraceLog'
    | 'LockgateLog';
  readonly path: string;
  /** AllowLogSymlinks of the server that names it. */
  readonly allowSymlinks: boolean;
}

/** A server that cannot write these would run unobserved, so they stop the start; as in proftpd the others do not. */
const REQUIRED: ReadonlySet<WantedLog['directive']> = new Set(['SystemLog', 'ServerLog']);

/** Opens all logs of `config` in append mode. Throws ConfigError when SystemLog or ServerLog cannot be opened. */
export function openLogFiles(config: ServerConfig): OpenedLogs {
  const descriptors = new Map<string, number>();
  const warnings: string[] = [];
  for (const { directive, path, allowSymlinks } of wantedLogs(config)) {
    if (descriptors.has(path)) continue;
    const opened = openLog(path, allowSymlinks);
    if (typeof opened === 'number') {
      descriptors.set(path, opened);
      continue;
    }
    if (REQUIRED.has(directive)) {
      closeLogFiles(descriptors);
      throw new ConfigError(`unable to redirect logging to '${path}': ${opened.reason}`, { directive });
    }
    warnings.push(
      directive === 'TLSLog'
        ? `mod_tls: notice: unable to open TLSLog: ${opened.reason}`
        : directive === 'SFTPLog'
          ? `mod_sftp: unable to open SFTPLog '${path}': ${opened.reason.replace('symbolic link', 'symlink')}`
          : `notice: unable to open ${directive} '${path}': ${opened.reason}`,
    );
  }
  const structured = descriptors.get(config.virtualHosts[0]?.settings.structuredLog ?? '');
  if (structured !== undefined) descriptors.set(STRUCTURED_LOG, structured);
  return { descriptors, warnings };
}

export function closeLogFiles(descriptors: ReadonlyMap<string, number>): void {
  for (const [name, descriptor] of descriptors) if (!name.startsWith(':')) closeSync(descriptor);
}

/** The descriptor, or why the file is refused. */
function openLog(path: string, allowSymlinks: boolean): number | { readonly reason: string } {
  try {
    if ((statSync(dirname(path)).mode & 0o002) !== 0) return { reason: 'parent directory is world-writable' };
    // O_NONBLOCK: a FIFO nobody reads fails at once instead of blocking the start.
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
    const descriptor = openSync(path, allowSymlinks ? flags : flags | constants.O_NOFOLLOW, LOG_FILE_MODE);
    if (!fstatSync(descriptor).isDirectory()) return descriptor;
    closeSync(descriptor);
    return { reason: 'is a directory' };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') return { reason: 'cannot log to a symbolic link' };
    return { reason: reasonOf(code) };
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  ENXIO: 'No reader on the FIFO',
  EROFS: 'Read-only file system',
  ENOSPC: 'No space left on device',
};

function reasonOf(code: string | undefined): string {
  return REASONS[code ?? ''] ?? code ?? 'unknown error';
}

function wantedLogs(config: ServerConfig): WantedLog[] {
  const wanted: WantedLog[] = [];
  let allowSymlinks = false;
  const add = (directive: WantedLog['directive'], path: string | null | undefined): void => {
    if (typeof path === 'string' && path.startsWith('/')) wanted.push({ directive, path, allowSymlinks });
  };
  for (const { host, settings } of allSettings(config)) {
    allowSymlinks = settings.allowLogSymlinks ?? host.settings.allowLogSymlinks ?? false;
    add('SystemLog', settings.systemLog);
    add('ServerLog', settings.serverLog);
    add('TLSLog', settings.tlsLog);
    add('SFTPLog', settings.sftpLog);
    add('TransferLog', settings.transferLog);
    add('TraceLog', settings.traceLog);
    add('LockgateLog', settings.structuredLog);
    for (const target of settings.extendedLog ?? []) add('ExtendedLog', target.path);
  }
  return wanted;
}

/** Settings of every section that may hold a log directive. */
function* allSettings(
  config: ServerConfig,
): Generator<{ readonly host: VirtualHost; readonly settings: PartialSettings }> {
  for (const host of config.virtualHosts) {
    for (const settings of scopesOf(host)) yield { host, settings };
  }
}

function* scopesOf(host: VirtualHost): Generator<PartialSettings> {
  const sections: Scope[] = [host, ...host.anonymous, ...host.conditionals];
  for (const section of host.anonymous) sections.push(...section.conditionals);
  for (const section of host.conditionals) sections.push(...section.anonymous);
  for (const section of sections) yield section.settings;
}
