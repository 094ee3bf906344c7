/** Groups for diffie-hellman-group-exchange: SFTPDHParamFile's, else the well-known ones. */
import { readFile } from 'node:fs/promises';
import { chooseGroup, parseDhParameters, type DhGroup } from '../../../crypto/ssh/key-exchange.ts';
import { activeProfile } from '../../../crypto/profile.ts';
import type { ServerConfig, Settings } from '../../../src/config/server-config.ts';
import type { GroupRequest } from '../wire/kex-messages.ts';

/** RFC 8270. */
const SMALLEST_SAFE = 2048;

const files = new WeakMap<ServerConfig, Map<string, Promise<readonly DhGroup[]>>>();

/** The file's groups; none where there is no file, or where only well-known groups are approved (FIPS). */
export function configuredGroups(
  config: ServerConfig,
  settings: Settings,
  warn: (text: string) => void,
): Promise<readonly DhGroup[]> {
  const path = settings.sftpDHParamFile;
  if (path === null || activeProfile().fips) return Promise.resolve([]);
  const known = files.get(config) ?? new Map<string, Promise<readonly DhGroup[]>>();
  files.set(config, known);
  const groups = known.get(path) ?? readGroups(config, path, warn);
  known.set(path, groups);
  return groups;
}

async function readGroups(
  config: ServerConfig,
  path: string,
  warn: (text: string) => void,
): Promise<readonly DhGroup[]> {
  try {
    const loaded = config.secretFiles.get(path);
    const text =
      loaded === undefined ? await readFile(path, 'latin1') : Buffer.from(loaded).toString('latin1');
    return parseDhParameters(text);
  } catch (error) {
    warn(
      `WARNING: unable to read SFTPDHParamFile '${path}': ${error instanceof Error ? error.message : 'unknown'}`,
    );
    return [];
  }
}

/** Null: the client asks for nothing this server would use. */
export function groupFor(
  request: GroupRequest,
  configured: readonly DhGroup[],
  settings: Settings,
  warn: (text: string) => void,
): DhGroup | null {
  const floor = settings.sftpOptions.includes('AllowWeakDH')
    ? request.min
    : Math.max(request.min, SMALLEST_SAFE);
  const preferred = Math.max(request.preferred, floor);
  if (floor > request.max) return null;
  const found = configured.length === 0 ? null : chooseGroup(floor, preferred, request.max, configured);
  if (found !== null) return found;
  const path = settings.sftpDHParamFile;
  if (path !== null && !activeProfile().fips) {
    const sizes = `${request.min}-${request.max} bit sizes`;
    if (configured.length > 0) warn(`unable to find suitable DH in SFTPDHParamFile '${path}' for ${sizes}`);
    warn('WARNING: using fixed modulus for DH group exchange');
  }
  return chooseGroup(floor, preferred, request.max, []);
}
