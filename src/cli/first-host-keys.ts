/** SSH host keys of a start without configuration, and the known_hosts file that lets clients verify them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateHostKey, loadHostKey } from '../../crypto/ssh/host-keys.ts';
import { SFTP_PORT_OFFSET } from './first-configuration.ts';
import { replaceFile } from './replace-file.ts';
import { STATE_FILES } from './state-folder.ts';

const KEYS = [
  ['ed25519', STATE_FILES.ed25519HostKey],
  ['ecdsa', STATE_FILES.ecdsaHostKey],
  ['rsa', STATE_FILES.rsaHostKey],
] as const;

/** Makes the keys that are missing in `folder`, and known_hosts for the SFTP port that belongs to FTP port `port`. */
export async function provideHostKeys(folder: string, port: number): Promise<void> {
  const lines: string[] = [];
  for (const [kind, name] of KEYS) {
    const path = join(folder, name);
    if (!existsSync(path)) replaceFile(path, await generateHostKey(kind));
    const { blob, type } = await loadHostKey(readFileSync(path));
    const names = ['localhost', '127.0.0.1'].map((host) => `[${host}]:${port + SFTP_PORT_OFFSET}`);
    lines.push(`${names.join(',')} ${type} ${blob.toString('base64')}\n`);
  }
  const knownHosts = join(folder, STATE_FILES.knownHosts);
  const text = lines.join('');
  if (!existsSync(knownHosts) || readFileSync(knownHosts, 'utf8') !== text) replaceFile(knownHosts, text);
}
