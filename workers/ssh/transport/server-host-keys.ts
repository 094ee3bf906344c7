/** The host keys of a virtual host: SFTPHostKey's files as main loaded them, agents' keys, minus NoRSA and its kin. */
import { createAgentHostKeys } from '../../../crypto/ssh/agent-keys.ts';
import { hostKeyFromPkcs8, type HostKey } from '../../../crypto/ssh/host-keys.ts';
import type { ServerConfig, Settings, SftpHostKeySource } from '../../../src/config/server-config.ts';

const cache = new WeakMap<readonly SftpHostKeySource[], Promise<readonly HostKey[]>>();

/** In the directives' order, one key per type. Sessions of one configuration share them. */
export function serverHostKeys(
  config: ServerConfig,
  settings: Settings,
  warn: (text: string) => void,
): Promise<readonly HostKey[]> {
  const sources = settings.sftpHostKey;
  const known = cache.get(sources);
  if (known !== undefined) return known;
  const loading = loadAll(config, sources, warn);
  cache.set(sources, loading);
  return loading;
}

async function loadAll(
  config: ServerConfig,
  sources: readonly SftpHostKeySource[],
  warn: (text: string) => void,
): Promise<readonly HostKey[]> {
  const byType = new Map<string, HostKey>();
  const excluded = new Set<string>();
  for (const source of sources) {
    if (source.kind === 'without') excluded.add(source.type);
    else
      for (const key of await load(config, source, warn))
        if (!byType.has(key.type)) byType.set(key.type, key);
  }
  return [...byType.values()].filter((key) => !excluded.has(family(key.type)));
}

async function load(
  config: ServerConfig,
  source: Exclude<SftpHostKeySource, { kind: 'without' }>,
  warn: (text: string) => void,
): Promise<readonly HostKey[]> {
  const name = source.kind === 'file' ? source.path : `agent:${source.socket}`;
  try {
    if (source.kind === 'agent') return await createAgentHostKeys(source.socket);
    const bytes = config.sshHostKeys?.get(source.path);
    return bytes === undefined ? [] : [hostKeyFromPkcs8(Buffer.from(bytes))];
  } catch (error) {
    warn(
      `error loading hostkey '${name}', skipping key: ${error instanceof Error ? error.message : 'unknown'}`,
    );
    return [];
  }
}

/** As SFTPHostKey's No... words name it. */
function family(type: string): string {
  if (type.startsWith('ecdsa-')) return 'ECDSA';
  if (type === 'ssh-rsa') return 'RSA';
  return type === 'ssh-dss' ? 'DSA' : type.replace('ssh-', '').toUpperCase();
}
