/** TLSRequired and TLSOptions in force for one session, and the gate they make (ftps-directives, sections 2 and 18). */
import type { TlsOption, TlsRequired } from '../../../src/config/server-config.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import type { FtpCommand } from '../command.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { judgeCommand, type PolicyVerdict } from './required-policy.ts';

export class SessionPolicy {
  readonly #session: FtpSession;
  /** Values at connect, HOST or SNI; sections found at login are looked at separately. */
  #connectionRequired: TlsRequired;
  #options: Set<TlsOption>;

  constructor(session: FtpSession) {
    this.#session = session;
    this.#connectionRequired = session.config.settings.tlsRequired;
    this.#options = new Set(session.config.settings.tlsOptions);
  }

  /** TLSOptions of the connection, and those of login sections added to them. */
  get options(): ReadonlySet<TlsOption> {
    return this.#options;
  }

  /** With AllowPerUser (or Protocols) the sections found at login decide, else the connection's own value. */
  get required(): TlsRequired {
    const loggedIn = this.#session.login.kind === 'logged-in';
    return loggedIn && this.#reevaluates
      ? this.#session.config.settings.tlsRequired
      : this.#connectionRequired;
  }

  get #reevaluates(): boolean {
    return this.#options.has('AllowPerUser') || this.#session.config.settings.protocols !== null;
  }

  configChanged(): void {
    const { principal, anonymous, settings } = this.#session.config;
    if (principal.user === null && anonymous === null) {
      this.#connectionRequired = settings.tlsRequired;
      this.#options = new Set(settings.tlsOptions);
      return;
    }
    for (const option of settings.tlsOptions) this.#options.add(option);
  }

  /** The gate before every command; logs why it refuses. `isProtected`: what is under TLS now. */
  refuse(
    command: FtpCommand | null,
    verb: string,
    path: VirtualPath | null,
    isProtected: { readonly control: boolean; readonly data: boolean },
  ): Reply | null {
    if (!this.#session.config.settings.tlsEngine) return null;
    const verdict = judgeCommand(command, {
      required: this.required,
      directoryData: isProtected.data ? 'optional' : this.#directoryData(command),
      controlProtected: isProtected.control,
      dataPrivate: isProtected.data,
      postponed: this.#options.has('AllowPerUser') && this.#session.login.kind !== 'logged-in',
    });
    return this.#refusal(verdict, verb, path);
  }

  #refusal(verdict: PolicyVerdict, verb: string, path: VirtualPath | null): Reply | null {
    const absent = 'SSL/TLS required but absent';
    switch (verdict) {
      case 'allowed':
        return null;
      case 'needs-tls-for-login':
        this.#log(`${absent} for authentication, denying ${verb} command`);
        return reply(550, 'SSL/TLS required on the control channel');
      case 'needs-tls':
        this.#log(`${absent} on control channel, denying ${verb} command`);
        return reply(550, 'SSL/TLS required on the control channel');
      case 'needs-private-data':
        this.#log(`${absent} on data channel, denying ${verb} command`);
        return reply(522, 'SSL/TLS required on the data channel');
      case 'needs-private-data-here':
        this.#log(`${verb} command denied by TLSRequired in directory '${path ?? '/'}'`);
        return reply(522, 'SSL/TLS required on the data channel');
    }
  }

  #directoryData(command: FtpCommand | null): TlsRequired['data'] {
    if (command?.usesDataConnection !== true || this.#session.login.kind !== 'logged-in') return 'optional';
    return this.#session.directoryConfig.settings.tlsRequired.data;
  }

  /** After PASS, before the login counts: AllowPerUser postponed the requirement until now. */
  admitsLogin(controlProtected: boolean): boolean {
    const { tlsEngine, tlsRequired } = this.#session.config.settings;
    if (!tlsEngine || !this.#reevaluates || controlProtected) return true;
    if (!tlsRequired.auth && !tlsRequired.control) return true;
    this.#log('SSL/TLS required but absent on control channel, disconnecting');
    return false;
  }

  #log(text: string): void {
    this.#session.context.log.tls(text);
  }
}
