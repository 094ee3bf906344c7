/** INIT and VERSION: which version is spoken, which extensions are announced (sftp-protocol, section 3). */
import { ByteWriter } from '../../src/util/byte-writer.ts';
import type { SftpExtension, Settings } from '../../src/config/server-config.ts';
import { LOCKGATE_VERSION } from '../../src/version.ts';
import type { ClientMatch } from '../ssh/ssh-types.ts';
import type { VersionRange } from './sftp-types.ts';
import { AttributeFlag } from './wire/attributes.ts';
import { HIGHEST_VERSION, LOWEST_VERSION, MAX_DATA_BYTES, type SftpVersion } from './wire/message-types.ts';
import { SUPPORTED_ACCESS, SUPPORTED_OPEN_FLAGS } from './wire/open-request.ts';

const ALL_EXTENSIONS: readonly SftpExtension[] = [
  'checkFile',
  'copyData',
  'copyFile',
  'fsync',
  'hardlink',
  'homeDirectory',
  'limits',
  'posixRename',
  'spaceAvailable',
  'statvfs',
  'userGroupNames',
  'vendorID',
  'versionSelect',
  'xattr',
];

const OFF_BY_DEFAULT: ReadonlySet<SftpExtension> = new Set(['vendorID', 'xattr']);

/** Names and data of each extension's pairs; `vendor-id` and `versions` have data of their own. */
const announcements: readonly (readonly [SftpExtension | null, string, string])[] = [
  ['checkFile', 'check-file', '1'],
  ['copyFile', 'copy-file', '1'],
  ['copyData', 'copy-data', '1'],
  ['spaceAvailable', 'space-available', '1'],
  ['homeDirectory', 'home-directory', '1'],
  ['posixRename', 'posix-rename@openssh.com', '1'],
  ['statvfs', 'statvfs@openssh.com', '2'],
  ['statvfs', 'fstatvfs@openssh.com', '2'],
  ['hardlink', 'hardlink@openssh.com', '1'],
  ['fsync', 'fsync@openssh.com', '1'],
  ['limits', 'limits@openssh.com', '1'],
  ['userGroupNames', 'users-groups-by-id@openssh.com', '1'],
  ['xattr', 'xattr@proftpd.org', '1'],
  [null, 'lsetstat@openssh.com', '1'],
  [null, 'expand-path@openssh.com', '1'],
];

/** What this server reads and returns; ACLs, attrib-bits, hints and untranslated names are left out. */
const SUPPORTED_ATTRIBUTES =
  AttributeFlag.SIZE |
  AttributeFlag.PERMISSIONS |
  AttributeFlag.ACCESSTIME |
  AttributeFlag.CREATETIME |
  AttributeFlag.MODIFYTIME |
  AttributeFlag.OWNERGROUP |
  AttributeFlag.SUBSECOND_TIMES;
const SUPPORTED_ATTRIBUTES_6 =
  SUPPORTED_ATTRIBUTES | AttributeFlag.ALLOCATION_SIZE | AttributeFlag.LINK_COUNT | AttributeFlag.CTIME;

export type Pair = readonly [name: string, data: Buffer | string];

/** SFTPExtensions: the defaults, and then each `+` and `-` in order. */
export function enabledExtensions(settings: Settings): ReadonlySet<SftpExtension> {
  const enabled = new Set(ALL_EXTENSIONS.filter((name) => !OFF_BY_DEFAULT.has(name)));
  for (const { name, enabled: on } of settings.sftpExtensions) {
    if (on) enabled.add(name);
    else enabled.delete(name);
  }
  return enabled;
}

/** The versions SFTPClientMatch lets this client speak. */
export function allowedVersions(match: ClientMatch): VersionRange {
  const { min, max } = match.sftpProtocolVersion ?? { min: LOWEST_VERSION, max: HIGHEST_VERSION };
  return { min: clamp(min), max: clamp(max) };
}

function clamp(version: number): SftpVersion {
  return Math.min(HIGHEST_VERSION, Math.max(LOWEST_VERSION, version)) as SftpVersion;
}

/** The lower of what the client asks and what it may; null where it asks less than that. */
export function chooseVersion(asked: number, allowed: VersionRange): SftpVersion | null {
  return asked < allowed.min ? null : (Math.min(asked, allowed.max) as SftpVersion);
}

/** Pairs of VERSION. Versions below 3 have none. */
export function versionPairs(
  version: SftpVersion,
  allowed: VersionRange,
  enabled: ReadonlySet<SftpExtension>,
): Pair[] {
  if (version < 3) return [];
  const pairs: Pair[] = [];
  if (enabled.has('vendorID')) pairs.push(['vendor-id', vendorId()]);
  if (enabled.has('versionSelect')) {
    const names = ([2, 3, 4, 5, 6] as const).filter((one) => one >= allowed.min && one <= allowed.max);
    pairs.push(['versions', names.join(',')]);
  }
  if (version >= 4) pairs.push(['newline', '\n']);
  const announced = announcements.filter(([extension]) => extension === null || enabled.has(extension));
  const names = announced.map(([, name]) => name);
  if (version === 5) pairs.push(['supported', supported(names)]);
  if (version === 6) pairs.push(['supported2', supported2(names)]);
  for (const [, name, data] of announced) pairs.push([name, data]);
  return pairs;
}

function vendorId(): Buffer {
  return new ByteWriter().string('Lockgate').string('Lockgate').string(LOCKGATE_VERSION).u64(0).finish();
}

/** u32 attribute-mask, attribute-bits, open-flags, access-mask, max-read-size, then names to the end (draft-05, 4.4). */
function supported(names: readonly string[]): Buffer {
  const writer = new ByteWriter(512).u32(SUPPORTED_ATTRIBUTES).u32(0);
  writer.u32(SUPPORTED_OPEN_FLAGS).u32(SUPPORTED_ACCESS).u32(MAX_DATA_BYTES);
  for (const name of names) writer.string(name);
  return writer.finish();
}

/**
 * As `supported`, with two u16 vectors of the block combinations (bit 0: no block at all) and counted lists
 * (draft-13, section 5.4).
 */
function supported2(names: readonly string[]): Buffer {
  const writer = new ByteWriter(512).u32(SUPPORTED_ATTRIBUTES_6).u32(0);
  writer.u32(SUPPORTED_OPEN_FLAGS).u32(SUPPORTED_ACCESS).u32(MAX_DATA_BYTES);
  writer.u8(0).u8(1).u8(0).u8(0).u32(0).u32(names.length);
  for (const name of names) writer.string(name);
  return writer.finish();
}
