/** SFTPHostKey: keys read, decrypted and judged by main at start and reload; workers get them with the configuration. */
import { readFileSync, statSync } from 'node:fs';
import { createAgentHostKeys } from '../../crypto/ssh/agent-keys.ts';
import { HostKeyError, loadHostKey, type HostKey } from '../../crypto/ssh/host-keys.ts';
import {
  PROMPT_ATTEMPTS,
  runPassPhraseProvider,
  type PassPhraseMemory,
  type PassPhraseRequest,
} from '../../crypto/pass-phrase.ts';
import { activeProfile } from '../../crypto/profile.ts';
import { ConfigError } from '../config/config-error.ts';
import type {
  ServerConfig,
  Settings,
  SftpHostKeySource,
  SourceLocation,
  VirtualHost,
} from '../config/server-config.ts';
import { settingsOfHost } from './config-settings.ts';
import { checkPassPhraseProvider, checkSshSettings } from './ssh-settings-check.ts';

export interface SshHostKeyHooks {
  /** Runs file access with root's rights where the process kept them. */
  readonly asRoot: <T>(work: () => T) => T;
  readonly memory: PassPhraseMemory;
  readonly prompt: ((text: string) => Promise<string | null>) | null;
  readonly providerLog: (line: string) => void;
}

export interface SshHostKeyCheck {
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly string[];
  /** Path -> PKCS#8 DER. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
}

const DIRECTIVE = 'SFTPHostKey';
/** Any right of the group or of others (sftp-directives, SFTPHostKey). */
const OTHERS = 0o077;
/** No private key is larger; keeps a mistaken path from filling memory. */
const MAX_KEY_BYTES = 64 * 1024;

/**
 * Checks the host keys of every virtual host with SFTPEngine on, and what else its directives name. A file that is no
 * private key is an error; a key that cannot be opened costs a warning, and a host without any key refuses its sessions.
 */
export async function checkSshHostKeys(
  config: ServerConfig,
  hooks: SshHostKeyHooks,
): Promise<SshHostKeyCheck> {
  const check = new HostKeyCheck(config, hooks);
  check.errors.push(...hooks.asRoot(() => checkPassPhraseProvider(config)));
  for (const host of config.virtualHosts) await check.checkHost(host);
  return check;
}

class HostKeyCheck implements SshHostKeyCheck {
  readonly errors: ConfigError[] = [];
  readonly warnings: string[] = [];
  readonly keys = new Map<string, Uint8Array>();
  readonly #config: ServerConfig;
  readonly #hooks: SshHostKeyHooks;
  /** Each file is read, and its pass phrase asked for, once, however many servers name it. */
  readonly #loaded = new Map<string, HostKey | null>();

  constructor(config: ServerConfig, hooks: SshHostKeyHooks) {
    this.#config = config;
    this.#hooks = hooks;
  }

  async checkHost(host: VirtualHost): Promise<void> {
    const settings = settingsOfHost(this.#config, host.id);
    if (!settings.sftpEngine) return;
    const found = this.#hooks.asRoot(() => checkSshSettings(settings));
    this.errors.push(...found.errors);
    this.warnings.push(...found.warnings);
    const offered = settings.sftpHostKeys ?? activeProfile().ssh.hostKeys.default;
    let usable = 0;
    for (const source of settings.sftpHostKey) {
      for (const key of await this.#load(source, host, settings)) {
        const problem = unusable(key, settings);
        if (problem !== null)
          this.#refuse(`unable to use ${labelOf(source)}: ${problem}`, locationOf(source));
        else if (key.algorithms.some((algorithm) => offered.includes(algorithm))) usable += 1;
        if (key.type === 'ssh-dss') this.warnings.push(dsaWarning(source, offered.includes('ssh-dss')));
      }
    }
    if (usable === 0 && settings.sftpHostKey.some((source) => source.kind !== 'without'))
      this.warnings.push(
        `mod_sftp: Server '${settings.serverName}': no available host keys, unable to handle sessions`,
      );
  }

  async #load(source: SftpHostKeySource, host: VirtualHost, settings: Settings): Promise<readonly HostKey[]> {
    if (source.kind === 'without') return [];
    if (source.kind === 'agent') return this.#fromAgent(source.socket);
    const { path } = source;
    if (!this.#loaded.has(path)) this.#loaded.set(path, await this.#fromFile(source, host, settings));
    const key = this.#loaded.get(path) ?? null;
    return key === null ? [] : [key];
  }

  async #fromAgent(socket: string): Promise<readonly HostKey[]> {
    try {
      const keys = await createAgentHostKeys(socket);
      if (keys.length === 0) this.warnings.push(`mod_sftp: the SSH agent at '${socket}' holds no keys`);
      return keys;
    } catch (error) {
      if (!(error instanceof HostKeyError)) throw error;
      this.warnings.push(
        `mod_sftp: error loading hostkeys from the SSH agent at '${socket}': ${error.message}`,
      );
      return [];
    }
  }

  /** Null where the file gives no key; errors and warnings say why. */
  async #fromFile(source: KeyFile, host: VirtualHost, settings: Settings): Promise<HostKey | null> {
    const { path } = source;
    const bytes = this.#read(source, settings);
    if (bytes === null) return null;
    try {
      const key = await this.#decrypt(path, bytes, host, settings);
      this.keys.set(path, key.pkcs8);
      return key;
    } catch (error) {
      if (!(error instanceof HostKeyError)) throw error;
      const { problem, message } = error;
      if (problem === 'tectia')
        this.#refuse(`error reading passphrase for SFTPHostKey '${path}': ${message}`, source.location);
      else if (problem === 'no-private-key')
        this.#refuse(`unable to use '${path}' as host key: ${message}`, source.location);
      else this.warnings.push(`mod_sftp: error loading hostkey '${path}', skipping key: ${message}`);
      return null;
    }
  }

  #read({ path, location }: KeyFile, settings: Settings): Buffer | null {
    try {
      return this.#hooks.asRoot(() => {
        const stats = statSync(path);
        if (!stats.isFile() || stats.size > MAX_KEY_BYTES) {
          this.#refuse(`unable to use '${path}' as host key, as it is not a key file`, location);
          return null;
        }
        if ((stats.mode & OTHERS) !== 0) {
          if (!settings.sftpOptions.includes('InsecureHostKeyPerms')) {
            this.#refuse(
              `unable to use '${path}' as host key, as it is group- or world-accessible`,
              location,
            );
            return null;
          }
          this.warnings.push(
            `mod_sftp: warning of use '${path}' as host key, as it is group- or world-accessible`,
          );
        }
        return readFileSync(path);
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      const reason = code === 'ENOENT' ? 'No such file or directory' : code;
      this.#refuse(`unable to check '${path}': ${reason}`, location);
      return null;
    }
  }

  /** An encrypted key asks the memory of earlier starts, the provider program and the terminal, in this order. */
  async #decrypt(path: string, bytes: Buffer, host: VirtualHost, settings: Settings): Promise<HostKey> {
    try {
      return await loadHostKey(bytes);
    } catch (error) {
      if (!(error instanceof HostKeyError) || !error.needsPassPhrase) throw error;
    }
    const { memory } = this.#hooks;
    const remembered = memory.get(path);
    if (remembered !== undefined) return loadHostKey(bytes, remembered);
    const request: PassPhraseRequest = {
      server: `${settings.serverName}:${host.port}`,
      keyType: path,
      prompt: `Host key for the ${host.addresses[0] ?? ''}#${host.port} (${settings.serverName}) server: `,
    };
    const program = settingsOfHost(this.#config, 0).sftpPassPhraseProvider;
    const opened = program === null ? this.#ask(bytes, request) : this.#fromProvider(program, bytes, request);
    const { key, passPhrase } = await opened;
    memory.set(path, passPhrase);
    return key;
  }

  async #fromProvider(program: string, bytes: Buffer, request: PassPhraseRequest): Promise<Unlocked> {
    const answer = await runPassPhraseProvider(program, request, { log: this.#hooks.providerLog });
    if (!answer.ok) throw new HostKeyError(`SFTPPassPhraseProvider: ${answer.reason}`);
    return { key: await loadHostKey(bytes, answer.passPhrase), passPhrase: answer.passPhrase };
  }

  async #ask(bytes: Buffer, request: PassPhraseRequest): Promise<Unlocked> {
    const { prompt } = this.#hooks;
    if (prompt === null)
      throw new HostKeyError('it is encrypted; set SFTPPassPhraseProvider, or start from a terminal');
    for (let attempt = 1; ; attempt += 1) {
      const passPhrase = await prompt(request.prompt);
      if (passPhrase === null) throw new HostKeyError('no pass phrase was given');
      try {
        return { key: await loadHostKey(bytes, passPhrase), passPhrase };
      } catch (error) {
        if (!(error instanceof HostKeyError) || attempt >= PROMPT_ATTEMPTS) throw error;
      }
    }
  }

  #refuse(reason: string, location: SourceLocation | undefined): void {
    const place = location === undefined ? {} : { location };
    this.errors.push(new ConfigError(reason, { directive: DIRECTIVE, ...place }));
  }
}

type KeyFile = Extract<SftpHostKeySource, { kind: 'file' }>;

interface Unlocked {
  readonly key: HostKey;
  readonly passPhrase: string;
}

function labelOf(source: SftpHostKeySource): string {
  if (source.kind === 'file') return `'${source.path}' as host key`;
  return source.kind === 'agent' ? `a key of the SSH agent at '${source.socket}'` : source.type;
}

function locationOf(source: SftpHostKeySource): SourceLocation | undefined {
  return source.kind === 'without' ? undefined : source.location;
}

function dsaWarning(source: SftpHostKeySource, isOffered: boolean): string {
  const consequence = isOffered
    ? 'only old clients can use it'
    : 'not offered unless SFTPHostKeys lists ssh-dss';
  return `mod_sftp: ${labelOf(source)}: DSA keys are deprecated, ${consequence}`;
}

/** Why the key may not stand for this server, or null. */
function unusable(key: HostKey, settings: Settings): string | null {
  const { fips, ssh } = activeProfile();
  const { minimumDsaBits, minimumEcBits } = settings.sftpKeyLimits;
  const configured = settings.sftpKeyLimits.minimumRsaBits;
  // SFTPKeyLimits may go below what FIPS approves of.
  const minimumRsaBits = fips ? Math.max(configured, ssh.minimumRsaBits) : configured;
  const [name, floor] =
    key.type === 'ssh-rsa'
      ? ['RSA', minimumRsaBits]
      : key.type === 'ssh-dss'
        ? ['DSA', minimumDsaBits]
        : key.type.startsWith('ecdsa-')
          ? ['EC', minimumEcBits]
          : [key.type, 0];
  if (key.bits < floor)
    return `${name} key size (${key.bits} bits) less than required minimum (${floor} bits)`;
  if (key.algorithms.some((algorithm) => ssh.hostKeys.allowed.includes(algorithm))) return null;
  const profile = fips ? 'the FIPS profile' : 'this server';
  return `${profile} offers none of its algorithms (${key.algorithms.join(', ')})`;
}
