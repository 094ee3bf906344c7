/** Everything main does about certificates while the server runs: stapled responses, and files that are replaced. */
import type { PassPhraseMemory } from '../../crypto/pass-phrase.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { CertificateRefresh } from './certificate-refresh.ts';
import { CertificateWatch } from './certificate-watch.ts';
import type { LogLevel } from '../log/session-log.ts';
import type { DaemonLog } from './daemon-log.ts';
import type { PreparedConfig } from './prepare-config.ts';
import type { ProcessIdentity } from './privileged.ts';
import { StapleKeeper } from './staple-keeper.ts';

export interface CertificateServiceOptions {
  readonly log: DaemonLog;
  readonly identity: () => ProcessIdentity;
  readonly passPhrases: PassPhraseMemory;
  readonly nextVersion: () => number;
  /** Files of the configuration in use changed: call `refresh` when nothing else is being loaded. */
  readonly onChange: () => void;
}

export class CertificateService {
  readonly #options: CertificateServiceOptions;
  readonly #staples: StapleKeeper;
  readonly #refresh = new CertificateRefresh();
  readonly #watch: CertificateWatch;
  /** Lines of the start, until the server log of a configuration is open; null: it is. */
  #early: (readonly [LogLevel, string])[] | null = [];

  constructor(options: CertificateServiceOptions) {
    this.#options = options;
    const { log, identity, onChange } = options;
    this.#staples = new StapleKeeper({ log: (level, text) => this.#say(level, text) });
    this.#watch = new CertificateWatch({
      identity,
      onChange,
      log: (text) => log.daemon('warn', `certificate files: ${text}`),
    });
  }

  /** The configuration with the stapled responses of its certificates; waits a moment for the first ones. */
  async withStaples(prepared: PreparedConfig): Promise<PreparedConfig> {
    const staples = await this.#staples.slotsFor(prepared.config);
    return { ...prepared, config: { ...prepared.config, staples } };
  }

  /** A configuration came into use. */
  adopted(config: ServerConfig, tlsFiles: PreparedConfig['tlsFiles']): void {
    this.#staples.retain(config);
    this.#refresh.adopted(tlsFiles);
    this.#watch.follow(config);
    const early = this.#early ?? [];
    this.#early = null;
    for (const [level, text] of early) this.#say(level, text);
  }

  #say(level: LogLevel, text: string): void {
    if (this.#early === null) this.#options.log.daemon(level, text);
    else this.#early.push([level, text]);
  }

  /**
   * Reads the files of the configuration in use again. A new version of it, to be adopted, where something changed for
   * good; null else. What cannot be used is logged and the old files stay in force.
   */
  async refresh(config: ServerConfig): Promise<PreparedConfig | null> {
    const { log, identity, passPhrases, nextVersion } = this.#options;
    const result = await this.#refresh.refresh(config, { identity: identity(), passPhrases, nextVersion });
    if (result.kind === 'unchanged') return null;
    for (const refusal of result.refusals)
      log.daemon('error', `changed certificate files are not used, the old ones stay in force: ${refusal}`);
    if (result.prepared === null) return null;
    log.daemon('notice', `certificate files changed, new connections use them: ${result.taken.join(', ')}`);
    return this.withStaples(result.prepared);
  }

  close(): void {
    this.#watch.close();
    this.#staples.close();
  }
}
