/** A refused request may have been refused by the kernel or by `<Limit>`; the operator's log says which. */
import { FsError } from '../vfs/fs-error.ts';
import type { VirtualPath } from '../vfs/types.ts';
import type { RequestRow, RunningRequest, SftpService } from './sftp-types.ts';

/** `<Limit>` names that a request may have been refused for, by its name in the logs. */
const namesByRequest: Readonly<Record<string, readonly string[]>> = {
  OPEN: ['RETR', 'STOR', 'APPE', 'OPEN'],
  RENAME: ['RNFR', 'RNTO'],
  MKDIR: ['MKD'],
  COPY_FILE: ['SITE_COPY', 'RETR', 'STOR'],
  HARDLINK: ['HARDLINK', 'RETR'],
};

/** Requests that carry a mode or an owner. */
const setsAttributes: ReadonlySet<string> = new Set(['OPEN', 'MKDIR', 'SETSTAT', 'FSETSTAT', 'LSETSTAT']);

/** Writes the SFTPLog line of a request that `<Limit>` refused; nothing where it was the kernel. */
export function logLimitRefusal(service: SftpService, row: RequestRow, request: RunningRequest): void {
  const { path } = request;
  if (path === null) return;
  const names = namesByRequest[row.name] ?? (row.limit === null ? [] : [row.limit]);
  const denied = names.some((name) => isDenied(service, name, path) || deniesSource(service, name, request));
  const shown = request.renameFrom === null ? `'${path}'` : `'${request.renameFrom}' to '${path}'`;
  const log = (text: string): void => service.session.sftpLog(`${text} blocked by <Limit> configuration`);
  if (denied) log(`${row.name} of ${shown}`);
  else if (setsAttributes.has(row.name) && isDenied(service, 'SITE_CHMOD', path)) {
    service.session.sftpLog(
      `chmod of ${shown} blocked by <Limit> configuration (see the IgnoreSFTPSetPerms/IgnoreSFTPUploadPerms SFTPOptions)`,
    );
  } else if (setsAttributes.has(row.name) && isDenied(service, 'SITE_CHGRP', path)) log(`chown of ${shown}`);
}

function deniesSource(service: SftpService, name: string, { renameFrom }: RunningRequest): boolean {
  return renameFrom !== null && isDenied(service, name, renameFrom as VirtualPath);
}

function isDenied(service: SftpService, name: string, path: VirtualPath): boolean {
  try {
    service.vfs.authorize(name, path);
    return false;
  } catch (error) {
    if (error instanceof FsError) return error.code === 'permission-denied';
    throw error;
  }
}
