/**
 * SFTPAuthMethods as chains: `publickey+password` wants both, in this order; the first chain that is complete logs in
 * (sftp-directives, SFTPAuthMethods). Pure.
 */
import type { Settings } from '../config/server-config.ts';

export type SshMethod = 'publickey' | 'hostbased' | 'keyboard-interactive' | 'password';

/** One link: the method the wire names, and for keyboard-interactive the driver that is to ask. */
export interface ChainLink {
  readonly method: SshMethod;
  /** `otp` of `keyboard-interactive:otp`; null: whatever the account needs. */
  readonly driver: string | null;
}

export type Chain = readonly ChainLink[];

/** In the order mod_sftp offers them. */
const METHOD_ORDER: readonly SshMethod[] = ['publickey', 'hostbased', 'keyboard-interactive', 'password'];

/** The chains in force: those of SFTPAuthMethods, else each configured method by itself. */
export function chainsInForce(settings: Settings): readonly Chain[] {
  if (settings.sftpAuthMethods !== null) {
    return settings.sftpAuthMethods.map((words) => words.map(parseLink)).filter((chain) => chain.length > 0);
  }
  const methods = METHOD_ORDER.filter((method) => isConfigured(method, settings));
  return methods.map((method) => [{ method, driver: null }]);
}

function isConfigured(method: SshMethod, settings: Settings): boolean {
  switch (method) {
    case 'publickey':
      return (
        settings.sftpAuthorizedUserKeys.length > 0 ||
        settings.sftpTrustedUserCAKeys !== null ||
        settings.userStore !== null
      );
    case 'hostbased':
      return settings.sftpAuthorizedHostKeys.length > 0;
    // The embedded store is what one-time codes come from: our driver.
    case 'keyboard-interactive':
      return settings.userStore !== null;
    case 'password':
      return true;
  }
}

function parseLink(word: string): ChainLink {
  const [name = '', driver] = word.split(':', 2);
  const method = METHOD_ORDER.find((known) => known === name);
  if (method === undefined) throw new Error(`SFTPAuthMethods holds the unknown method '${name}'`);
  return { method, driver: driver ?? null };
}

/** How far a session has come on each chain. */
export class ChainProgress {
  #remaining: readonly Chain[];

  constructor(chains: readonly Chain[]) {
    this.#remaining = chains;
  }

  /** Methods that can come next, each once, in the order of the chains. */
  get methods(): readonly SshMethod[] {
    return [...new Set(this.#remaining.flatMap((chain) => chain[0]?.method ?? []))];
  }

  /** The link `method` would satisfy now; null: not one that can come next. */
  next(method: SshMethod): ChainLink | null {
    for (const [first] of this.#remaining) if (first?.method === method) return first;
    return null;
  }

  /** True when passing `method` now would complete a chain. */
  wouldComplete(method: SshMethod): boolean {
    return this.#remaining.some((chain) => chain.length === 1 && chain[0]?.method === method);
  }

  /** `method` was passed; chains that wait for something else stay where they are. */
  pass(method: SshMethod): void {
    this.#remaining = this.#remaining.map((chain) => (chain[0]?.method === method ? chain.slice(1) : chain));
  }

  /** From now on nothing but this link completes the login. */
  require(link: ChainLink): void {
    this.#remaining = [[link]];
  }
}
