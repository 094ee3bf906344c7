/** Stats of an entry -> ATTRS and the `ls -l` line; ATTRS of a client -> changes. */
import type { Stats } from 'node:fs';
import type { AttributeChanges } from '../vfs/attribute-changes.ts';
import type { ListLineFormatter } from '../vfs/list-line.ts';
import { printableName } from '../vfs/list-line.ts';
import { StatusError } from './status-error.ts';
import type { SftpService } from './sftp-types.ts';
import {
  AttributeFlag,
  FileType,
  NO_ATTRIBUTES,
  type FileAttributes,
  type FileTime,
} from './wire/attributes.ts';
import type { NamedEntry } from './wire/replies.ts';
import { StatusCode } from './wire/status.ts';

const TYPE_MASK = 0o170000;
const typeByMode: Readonly<Record<number, number>> = {
  0o100000: FileType.REGULAR,
  0o040000: FileType.DIRECTORY,
  0o120000: FileType.SYMLINK,
  0o140000: FileType.SOCKET,
  0o020000: FileType.CHAR_DEVICE,
  0o060000: FileType.BLOCK_DEVICE,
  0o010000: FileType.FIFO,
};

const BLOCK_BYTES = 512;

/**
 * Everything that is cheap, whatever was asked for (draft-13, section 8.4: the flags are hints); what only few clients
 * can use only where `wanted` has it.
 */
export function attributesOf(service: SftpService, stats: Stats, wanted = 0): FileAttributes {
  const { mode, size, uid, gid } = stats;
  if (service.version <= 3) {
    return {
      ...NO_ATTRIBUTES,
      size,
      uid,
      gid,
      permissions: mode,
      accessTime: timeOf(stats.atimeMs, false),
      modifyTime: timeOf(stats.mtimeMs, false),
    };
  }
  const asks = (flag: number): boolean => (wanted & flag) !== 0;
  const fine = asks(AttributeFlag.SUBSECOND_TIMES);
  return {
    ...NO_ATTRIBUTES,
    type: typeByMode[mode & TYPE_MASK] ?? FileType.SPECIAL,
    size,
    permissions: mode,
    owner: service.owners.userName(uid),
    group: service.owners.groupName(gid),
    accessTime: timeOf(stats.atimeMs, fine),
    modifyTime: timeOf(stats.mtimeMs, fine),
    createTime:
      asks(AttributeFlag.CREATETIME) && stats.birthtimeMs > 0 ? timeOf(stats.birthtimeMs, fine) : null,
    changeTime: asks(AttributeFlag.CTIME) ? timeOf(stats.ctimeMs, fine) : null,
    linkCount: asks(AttributeFlag.LINK_COUNT) ? stats.nlink : null,
    allocationSize: asks(AttributeFlag.ALLOCATION_SIZE) ? stats.blocks * BLOCK_BYTES : null,
  };
}

function timeOf(milliseconds: number, fine: boolean): FileTime {
  const seconds = Math.floor(milliseconds / 1000);
  if (!fine) return { seconds, nanoseconds: 0 };
  return { seconds, nanoseconds: Math.min(999_999_999, Math.round((milliseconds - seconds * 1000) * 1e6)) };
}

/** `lines` null: the version has no long names. */
export function namedEntry(
  service: SftpService,
  name: string,
  stats: Stats,
  lines: ListLineFormatter | null,
): NamedEntry {
  const { owners } = service;
  const longName =
    lines === null
      ? ''
      : lines.format({
          name: printableName(name, false),
          mode: owners.mode(stats.mode),
          links: stats.nlink,
          user: owners.userName(stats.uid),
          group: owners.groupName(stats.gid),
          size: stats.size,
          time: stats.mtimeMs,
          linkTarget: null,
        });
  return { name, longName, attributes: attributesOf(service, stats) };
}

/** What SETSTAT and FSETSTAT are to change, less what SFTPOptions says to ignore. */
export function changesOf(service: SftpService, asked: FileAttributes): AttributeChanges {
  const { options } = service;
  const owner = options.has('IgnoreSFTPSetOwners') ? NOBODY : principals(service, asked);
  const times = !options.has('IgnoreSFTPSetTimes');
  return {
    size: asked.size,
    ...owner,
    mode: options.has('IgnoreSFTPSetPerms') ? null : asked.permissions,
    accessTime: times ? secondsOf(asked.accessTime) : null,
    modifyTime: times ? secondsOf(asked.modifyTime) : null,
  };
}

const NOBODY = { uid: null, gid: null };

/** Version 3 has numbers, later ones names; an empty owner beside a group changes the group alone. */
function principals(
  service: SftpService,
  asked: FileAttributes,
): { readonly uid: number | null; readonly gid: number | null } {
  if (service.version <= 3) return { uid: asked.uid, gid: asked.gid };
  const { owners } = service.vfs;
  const unknown: string[] = [];
  const find = (name: string | null, lookUp: (name: string) => number | null): number | null => {
    if (name === null || name === '') return null;
    // `alice@example.org` (draft-13, section 7.5): accounts here have no domain.
    const plain = name.split('@', 1)[0]!;
    const id = /^\d{1,9}$/.test(plain) ? Number(plain) : lookUp(plain);
    if (id === null) unknown.push(name);
    return id;
  };
  const uid = find(asked.owner, (name) => owners.uidOf(name));
  const gid = find(asked.group, (name) => owners.gidOf(name));
  if (unknown.length > 0) throw new StatusError(StatusCode.UNKNOWN_PRINCIPAL, null, unknown);
  return { uid, gid };
}

function secondsOf(time: FileTime | null): number | null {
  return time === null ? null : time.seconds + time.nanoseconds / 1e9;
}

/** The `<Limit>` names a change asks beside SETSTAT. */
export function limitsOf(changes: AttributeChanges): string[] {
  const names: string[] = [];
  if (changes.mode !== null) names.push('SITE_CHMOD');
  if (changes.uid !== null || changes.gid !== null) names.push('SITE_CHGRP');
  if (changes.size !== null) names.push('STOR');
  return names;
}
