/** TLS of one FTP session: policy gate, AUTH and CCC, implicit handshake, data connections, certificate login. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { negotiationLine } from '../../../crypto/negotiated-tls.ts';
import { activeProfile } from '../../../crypto/profile.ts';
import { NO_CERTIFICATE_LINE } from '../../../crypto/tls-configuration.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import type { FtpCommand } from '../command.ts';
import { DataTlsError, type FtpSession, type SessionProtection } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { certificateLogin } from './client-certificate.ts';
import { TLS_1_3 } from './client-hello.ts';
import { tlsServerSide } from './context-cache.ts';
import { upgradeControl, type SecuredControl } from './control-upgrade.ts';
import { secureDataConnection } from './data-upgrade.ts';
import { DataProtection, UNWILLING } from './data-protection.ts';
import type { NegotiationReport } from './profile-gate.ts';
import { refuseClientRenegotiation, renegotiateByTime } from './renegotiation.ts';
import { allowsClearControl } from './required-policy.ts';
import { recordEnvironment } from './session-environment.ts';
import { SessionPolicy } from './session-policy.ts';
import { controlAcceptedLine, DATA_FAILED_LINE, dataAcceptedLine } from './tls-log-lines.ts';

type ControlState =
  | { readonly kind: 'clear' }
  | { readonly kind: 'tls'; readonly control: SecuredControl }
  /** After CCC; data connections still belong to the former control session. */
  | { readonly kind: 'cleared'; readonly control: SecuredControl };

/** Mechanisms of AUTH: log name, and whether data connections are private at once (RFC 4217, section 17). */
interface Mechanism {
  readonly logName: 'TLS/TLS-C' | 'SSL/TLS-P';
  readonly privateData: boolean;
}

const TLS_C: Mechanism = { logName: 'TLS/TLS-C', privateData: false };
const TLS_P: Mechanism = { logName: 'SSL/TLS-P', privateData: true };
const MECHANISMS: ReadonlyMap<string, Mechanism> = new Map([
  ['TLS', TLS_C],
  ['TLS-C', TLS_C],
  ['SSL', TLS_P],
  ['TLS-P', TLS_P],
]);

/** Under FIPS what was negotiated is what an auditor looks for, so SyslogLevel's default shows it. */
const NEGOTIATION_LEVEL = activeProfile().fips ? 'notice' : 'info';
/** How long close_notify may take to leave after CCC. */
const CLOSE_NOTIFY_MS = 2_000;

/** TLS for a session of `ftp-session.ts`; reads settings through it, so HOST and login take effect at once. */
export function createSessionProtection(session: FtpSession): SessionProtection {
  return new TlsProtection(session);
}

class TlsProtection implements SessionProtection {
  readonly #session: FtpSession;
  #control: ControlState = { kind: 'clear' };
  readonly #data: DataProtection;
  #dataLine: string | null = null;
  #stopRenegotiation: (() => void) | null = null;
  readonly #policy: SessionPolicy;

  constructor(session: FtpSession) {
    this.#session = session;
    this.#policy = new SessionPolicy(session);
    this.#data = new DataProtection((text) => this.#log(text));
  }

  get controlState(): 'clear' | 'tls' | 'cleared' {
    return this.#control.kind;
  }

  get dataLevel(): 'clear' | 'private' {
    return this.#data.level;
  }

  get enabled(): boolean {
    return this.#settings.tlsEngine;
  }

  get serverName(): string | null {
    return this.#control.kind === 'clear' ? null : this.#control.control.serverName;
  }

  get hasClientCertificate(): boolean {
    const { tlsUserName } = this.#settings;
    return this.#client !== null && (tlsUserName !== null || this.#policy.options.has('AllowDotLogin'));
  }

  get #settings(): Settings {
    return this.#session.config.settings;
  }

  get #client(): SecuredControl['client'] {
    return this.#control.kind === 'clear' ? null : this.#control.control.client;
  }

  configChanged(): void {
    this.#policy.configChanged();
  }

  refuse(command: FtpCommand | null, verb: string, path: VirtualPath | null): Reply | null {
    const control = this.#control.kind === 'tls';
    return this.#policy.refuse(command, verb, path, { control, data: this.#data.level === 'private' });
  }

  admitsLogin(): boolean {
    return this.#policy.admitsLogin(this.#control.kind === 'tls');
  }

  authenticate(argument: string): Reply {
    const name = argument.trim().toUpperCase();
    if (name === '') return reply(504, 'AUTH requires at least one argument');
    if (this.#control.kind === 'tls') {
      this.#log('Unwilling to accept AUTH after AUTH for this session');
      return reply(503, 'Unwilling to accept second AUTH');
    }
    if (this.#control.kind === 'cleared') {
      this.#log('Unwilling to accept AUTH after CCC for this session');
      return UNWILLING;
    }
    if (this.#session.login.kind === 'logged-in' && !this.#policy.options.has('AllowPerUser')) {
      const why = 'for this session unless AllowPerUser TLSOption is used';
      this.#log(`Unwilling to accept AUTH after USER/PASS authentication ${why}`);
      return UNWILLING;
    }
    const mechanism = MECHANISMS.get(name);
    if (mechanism === undefined) {
      this.#log(`AUTH ${name} unsupported, declining`);
      return reply(500, 'AUTH not understood');
    }
    if (!this.#hasCertificate(name)) return reply(431, 'Necessary security resource unavailable');
    this.#log(`${mechanism.logName} requested, starting TLS handshake`);
    return { ...reply(234, `AUTH ${name} successful`), after: () => this.#upgrade(mechanism) };
  }

  #hasCertificate(mechanism: string): boolean {
    const side = tlsServerSide(this.#session.config.server, this.#settings);
    for (const note of side.notes) this.#log(note);
    if (side.ok) return true;
    this.#log(`Unable to accept AUTH ${mechanism} due to lack of certificates`);
    return false;
  }

  async #upgrade(mechanism: Mechanism): Promise<void> {
    // Everything the client sent in clear behind AUTH goes with it.
    this.#session.control.detach();
    const secured = await this.#secureControl(`${mechanism.logName} negotiation failed on control channel`);
    if (secured && mechanism.privateData) this.#data.preferPrivate(this.#policy.required);
  }

  async acceptImplicit(): Promise<boolean> {
    this.#log('TLSOption UseImplicitSSL in effect, starting SSL/TLS handshake');
    if (!tlsServerSide(this.#session.config.server, this.#settings).ok) this.#log(NO_CERTIFICATE_LINE);
    const secured = await this.#secureControl('implicit SSL/TLS negotiation failed on control channel');
    if (secured) this.#data.preferPrivate(this.#policy.required);
    return secured;
  }

  async #secureControl(failureLine: string): Promise<boolean> {
    const session = this.#session;
    const result = await upgradeControl(session, session.control.socket);
    for (const line of result.lines) this.#log(line);
    if (!result.ok) {
      if (result.violation !== undefined) session.context.log.system('notice', result.violation);
      this.#log(failureLine);
      session.end('protocol-error', 'TLS handshake failed');
      return false;
    }
    const { control } = result;
    this.#control = { kind: 'tls', control };
    // RFC 2228, section 3 (AUTH): who gave a name in clear gives it again; the handshake may have changed the host, too.
    if (session.login.kind === 'user-given') session.setLogin({ kind: 'new' });
    if (control.config !== null) session.useConfig(control.config);
    this.#watchRenegotiation(control);
    this.#log(controlAcceptedLine(control.negotiated));
    session.context.log.system(NEGOTIATION_LEVEL, negotiationLine(control.negotiated, 'control'));
    const { facts } = session.context;
    facts.protocol = 'ftps';
    const { stream, serverName, client } = control;
    const environment = {
      stream,
      negotiated: control.negotiated,
      serverName,
      client,
      settings: this.#settings,
    };
    for (const line of recordEnvironment(facts, environment)) this.#log(line);
    session.control.attach(control.stream);
    return true;
  }

  #watchRenegotiation(control: SecuredControl): void {
    if (control.version >= TLS_1_3) return;
    this.#log('client supports secure renegotiations');
    const log = (text: string): void => this.#log(text);
    if (!this.#policy.options.has('AllowClientRenegotiations'))
      refuseClientRenegotiation(control.stream, log);
    this.#stopRenegotiation = renegotiateByTime(control.stream, this.#settings, {
      log,
      timedOut: () => this.#session.end('timeout', 'TLS renegotiation'),
    });
  }

  setBufferSize(argument: string): Reply {
    if (this.#control.kind === 'clear') return reply(500, 'PBSZ not understood');
    if (this.#control.kind === 'cleared')
      return reply(503, 'PBSZ not allowed on insecure control connection');
    return this.#data.setBufferSize(argument);
  }

  setDataLevel(argument: string): Reply {
    if (this.#control.kind === 'clear') return reply(500, 'PROT not understood');
    return this.#data.setLevel(argument, this.#policy.required);
  }

  setClientMethod(argument: string): Reply {
    if (this.#control.kind === 'clear') return reply(500, 'SSCN not understood');
    return this.#data.setClientMethod(argument);
  }

  clearControl(): Reply {
    if (this.#control.kind === 'clear') return reply(500, 'CCC not understood');
    if (this.#control.kind === 'cleared') return reply(533, 'CCC not allowed on insecure control connection');
    if (this.#session.login.kind !== 'logged-in') return reply(530, 'Please login with USER and PASS');
    const { control } = this.#control;
    if (!allowsClearControl(this.#policy.required) || control.bridge === null) {
      const why = 'TLSRequired setting does not allow for unprotected control channel';
      this.#log(`CCC: unwilling to accept security parameters: ${why}`);
      return UNWILLING;
    }
    this.#log('received CCC, clearing control channel protection');
    return {
      ...reply(200, 'Clearing control channel protection'),
      after: () => this.#returnToClear(control),
    };
  }

  /** The 200 left under TLS; close_notify follows it, and whatever comes next is clear text. */
  async #returnToClear(control: SecuredControl): Promise<void> {
    const { stream, bridge } = control;
    if (bridge === null) return;
    this.#stopRenegotiation?.();
    this.#session.control.detach();
    const clear = bridge.clear();
    this.#control = { kind: 'cleared', control };
    stream.end();
    // A peer that is gone shows on the clear stream; here only the flush matters.
    await finished(stream, { readable: false, signal: AbortSignal.timeout(CLOSE_NOTIFY_MS) }).catch(
      () => undefined,
    );
    stream.destroy();
    this.#session.control.attach(clear);
  }

  async secureData(socket: Socket, verb: string): Promise<Duplex> {
    const state = this.#control;
    if (state.kind === 'clear') {
      socket.destroy();
      this.#log(DATA_FAILED_LINE);
      throw new DataTlsError('there is no control session to resume');
    }
    const stream = await secureDataConnection({
      socket,
      verb,
      control: state.control,
      controlCleared: state.kind === 'cleared',
      clientMethod: this.#data.clientMethod,
      settings: this.#settings,
      options: this.#policy.options,
      negotiated: (report) => this.#dataNegotiated(report),
      log: (text) => this.#log(text),
    });
    return stream;
  }

  /** The first data connection is described, and later ones that settled on something else. */
  #dataNegotiated(report: NegotiationReport): void {
    const { log } = this.#session.context;
    if (report.violation !== null) log.system('notice', report.violation);
    if (report.line === this.#dataLine) return;
    log.tls(report.line);
    log.system(NEGOTIATION_LEVEL, report.line);
    if (this.#dataLine === null && report.violation === null) log.tls(dataAcceptedLine(report.negotiated));
    this.#dataLine = report.line;
  }

  vouchesFor(user: string, home: string | null): boolean {
    const client = this.#client;
    if (client === null || !this.hasClientCertificate) return false;
    const login = certificateLogin(
      client,
      { ...this.#settings, tlsOptions: [...this.#policy.options] },
      user,
      home,
    );
    for (const line of login.lines) this.#log(line);
    return login.vouches;
  }

  close(): void {
    this.#stopRenegotiation?.();
    this.#stopRenegotiation = null;
  }

  #log(text: string): void {
    this.#session.context.log.tls(text);
  }
}
