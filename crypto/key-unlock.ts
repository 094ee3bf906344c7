/** Unlocks encrypted keys at start-up and reload: remembered pass phrases, TLSPassPhraseProvider, the terminal. */
import type { Settings, VirtualHost } from '../src/config/server-config.ts';
import { CertificateFileError, decryptedKeyPem, isEncryptedKey } from './certificate-files.ts';
import { isLibraryError } from './library-errors.ts';
import {
  PROMPT_ATTEMPTS,
  runPassPhraseProvider,
  type PassPhraseMemory,
  type PassPhraseRequest,
} from './pass-phrase.ts';
import type { CertificateDirective } from './tls-configuration.ts';

export interface UnlockHooks {
  /** Asks on the terminal; null when there is none or the operator gave up. Absent: encrypted keys need a provider. */
  readonly prompt?: (text: string) => Promise<string | null>;
  /** Pass phrases that worked before, by key path; filled here and kept in main for reloads. */
  readonly memory?: PassPhraseMemory;
  /** Lines a provider program wrote to standard error. */
  readonly providerLog?: (line: string) => void;
}

export class KeyUnlock {
  readonly #hooks: UnlockHooks;
  readonly #warn: (text: string) => void;
  readonly #givenUp = new Set<string>();

  constructor(hooks: UnlockHooks, warn: (text: string) => void) {
    this.#hooks = hooks;
    this.#warn = warn;
  }

  /** For a key nobody could unlock: what would have helped. */
  hint(settings: Settings): string | undefined {
    return settings.tlsPassPhraseProvider !== null || this.#hooks.prompt !== undefined
      ? undefined
      : 'The key is encrypted: start from a terminal, or set TLSPassPhraseProvider';
  }

  /** The file of a key with the key decrypted. Throws CertificateFileError `encrypted` where nothing unlocks it. */
  async unlocked(
    host: VirtualHost,
    settings: Settings,
    row: CertificateDirective,
    bytes: Uint8Array,
  ): Promise<Uint8Array> {
    if (!isEncryptedKey(bytes)) return bytes;
    const decrypted = await this.withPassPhrase(
      row.keyPath,
      settings,
      passPhraseRequest(host, settings, row.algorithm),
      (phrase) => decryptedKeyPem(bytes, phrase),
    );
    if (decrypted === null) {
      throw new CertificateFileError(
        'encrypted',
        `unable to use ${row.algorithm} certificate key in '${row.keyPath}', exiting`,
      );
    }
    return withKey(bytes, decrypted);
  }

  /**
   * The first result of `attempt` that a pass phrase gave: the remembered one, the provider program's, or one from the
   * terminal, in this order. Null: none fits.
   */
  async withPassPhrase<T>(
    path: string,
    settings: Settings,
    asked: PassPhraseRequest,
    attempt: (passPhrase: string) => T,
  ): Promise<T | null> {
    const tried = (passPhrase: string): T | null => {
      try {
        const result = attempt(passPhrase);
        this.#hooks.memory?.set(path, passPhrase);
        return result;
      } catch (error) {
        // A wrong pass phrase is an answer, not a fault: null asks again.
        if (error instanceof CertificateFileError || isLibraryError(error)) return null;
        throw error;
      }
    };
    const remembered = this.#hooks.memory?.get(path);
    const known = remembered === undefined ? null : tried(remembered);
    if (known !== null) return known;
    if (settings.tlsPassPhraseProvider !== null) {
      const options = this.#hooks.providerLog === undefined ? {} : { log: this.#hooks.providerLog };
      const answer = await runPassPhraseProvider(settings.tlsPassPhraseProvider, asked, options);
      if (!answer.ok) this.#warn(`TLSPassPhraseProvider: ${answer.reason}`);
      return answer.ok ? tried(answer.passPhrase) : null;
    }
    // A key several servers share is asked for once.
    if (this.#hooks.prompt === undefined || this.#givenUp.has(path)) return null;
    for (let attempts = 0; attempts < PROMPT_ATTEMPTS; attempts += 1) {
      const passPhrase = await this.#hooks.prompt(asked.prompt);
      if (passPhrase === null) break;
      const result = tried(passPhrase);
      if (result !== null) return result;
    }
    this.#givenUp.add(path);
    return null;
  }
}

/** Who asks for which key, in the words of the provider program and of the prompt. */
export function passPhraseRequest(
  host: VirtualHost,
  settings: Settings,
  keyType: PassPhraseRequest['keyType'],
): PassPhraseRequest {
  const address = host.addresses[0] ?? '0.0.0.0';
  return {
    server: `${settings.serverName}:${host.port}`,
    keyType,
    prompt: `${keyType} key for the ${address}#${host.port} (${settings.serverName}) server: `,
  };
}

/** The file's certificates stay (a combined PEM), its key is replaced. */
function withKey(bytes: Uint8Array, keyPem: string): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const withoutKeys = text.replace(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----\s*/g, '');
  return Buffer.from(`${keyPem}\n${withoutKeys}`, 'latin1');
}
