/** SSH logins of all connections: each has its state here for as long as it lives. */
import type { SshAuthAnswer, SshAuthRequest } from '../actor/messages.ts';
import type { EffectiveConfig } from '../config/effective-config.ts';
import type { Accounts } from './accounts.ts';
import type { LoginOrigin } from './login-attempt.ts';
import { SshLogin } from './ssh-login.ts';
import { SshTurn } from './ssh-login-context.ts';
import type { SshAuthParts } from './ssh-login-context.ts';

export class SshAuthentication {
  readonly #parts: SshAuthParts;
  readonly #logins = new Map<number, SshLogin>();

  constructor(parts: SshAuthParts) {
    this.#parts = parts;
  }

  /**
   * Judges one request. Main calls it for live connections that are not logged in, one request at a time.
   * @param config in force before login
   */
  async authenticate(
    request: SshAuthRequest,
    origin: LoginOrigin,
    config: EffectiveConfig,
    accounts: Accounts,
  ): Promise<SshAuthAnswer> {
    let login = this.#logins.get(origin.sessionId);
    if (login === undefined) {
      login = new SshLogin(this.#parts);
      this.#logins.set(origin.sessionId, login);
    }
    return login.answer(new SshTurn(request, origin, config, accounts));
  }

  /** A connection ended. */
  forget(sessionId: number): void {
    this.#logins.delete(sessionId);
  }
}
