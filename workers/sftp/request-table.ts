/** Every request this server knows, by number; EXTENDED ones by name. READ and WRITE are the scheduler's own. */
import type { ExtendedRow, RequestRow } from './sftp-types.ts';
import { attributeRows } from './requests/attributes.ts';
import { copyRows } from './requests/copies.ts';
import { directoryRows } from './requests/directories.ts';
import { extendedAttributeRows } from './requests/extended-attributes.ts';
import { extendedRows } from './requests/extended.ts';
import { nameRows } from './requests/names.ts';
import { openRows } from './requests/open.ts';
import { MessageType, type SftpVersion } from './wire/message-types.ts';

export const requestRows: readonly RequestRow[] = [
  ...openRows,
  ...attributeRows,
  ...directoryRows,
  ...nameRows,
];

export const allExtendedRows: readonly ExtendedRow[] = [
  ...extendedRows,
  ...copyRows,
  ...extendedAttributeRows,
];

const rowByType = new Map(requestRows.map((row) => [row.type, row]));
const rowByExtendedName = new Map(allExtendedRows.map((row) => [row.extended, row]));

/** First and last version of the requests that not every version has. */
const versionsOf: ReadonlyMap<number, readonly [SftpVersion, SftpVersion]> = new Map([
  [MessageType.RENAME, [2, 6]],
  [MessageType.READLINK, [3, 6]],
  [MessageType.SYMLINK, [3, 5]],
  [MessageType.LINK, [6, 6]],
  [MessageType.BLOCK, [6, 6]],
  [MessageType.UNBLOCK, [6, 6]],
]);

/** Null where the version has no such request. */
export function findRow(type: number, version: SftpVersion): RequestRow | null {
  const versions = versionsOf.get(type);
  if (versions !== undefined && (version < versions[0] || version > versions[1])) return null;
  return rowByType.get(type) ?? null;
}

export function findExtendedRow(name: string): ExtendedRow | null {
  return rowByExtendedName.get(name) ?? null;
}
