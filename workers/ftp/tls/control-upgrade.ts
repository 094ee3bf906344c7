/** From a clear control connection to a protected one: AUTH and implicit FTPS share everything but their log lines. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { NegotiatedTls } from '../../../crypto/negotiated-tls.ts';
import { cipherListInForce, newSessionBinding } from '../../../crypto/tls-context.ts';
import type { EffectiveConfig } from '../../../src/config/effective-config.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import type { FtpSession } from '../session-types.ts';
import {
  certificateRequest,
  checkClientCertificate,
  type VerifiedCertificate,
} from './client-certificate.ts';
import { fatalAlert, type ClientHello } from './client-hello.ts';
import { tlsServerSide, type TlsServerSide } from './context-cache.ts';
import type { ControlBridge } from './control-bridge.ts';
import { allowsClearControl } from './required-policy.ts';
import { handshakeExtras, type HandshakeExtras } from './handshake-extras.ts';
import { refuseByProfile, reportNegotiation } from './profile-gate.ts';
import { acceptTls, type HandshakeChoice } from './server-handshake.ts';
import { contextKind, ControlSessions, expectedVersion } from './session-reuse.ts';
import { failureLines } from './tls-log-lines.ts';
import { chooseByName, engineOffLine } from './virtual-host-choice.ts';

/** A control connection under TLS, and what data connections need of it. */
export interface SecuredControl {
  readonly stream: TLSSocket;
  /** Present where policy lets CCC clear the connection. */
  readonly bridge: ControlBridge | null;
  readonly side: TlsServerSide;
  /** Session id context that binds data connections. */
  readonly binding: string;
  readonly sessions: ControlSessions;
  readonly version: number;
  readonly negotiated: NegotiatedTls;
  /** performance.now() when the handshake was done. */
  readonly securedAt: number;
  readonly serverName: string | null;
  readonly client: VerifiedCertificate | null;
  /** Virtual host chosen by SNI; null: the session stays where it is. */
  readonly config: EffectiveConfig | null;
}

export type UpgradeResult =
  | { readonly ok: true; readonly control: SecuredControl; readonly lines: readonly string[] }
  | {
      readonly ok: false;
      readonly lines: readonly string[];
      /** The negotiation lay outside the crypto profile: for the server log, too. */
      readonly violation?: string;
    };

export const HANDSHAKE_FAILED = '421 TLS handshake failed\r\n';

/** How long the last words to a client with a refused certificate may take. */
const FAREWELL_MS = 2_000;
const VERSION_NUMBERS: ReadonlyMap<string, number> = new Map([
  ['TLSv1', 0x0301],
  ['TLSv1.1', 0x0302],
  ['TLSv1.2', 0x0303],
  ['TLSv1.3', 0x0304],
]);

/** What the ClientHello led to. */
interface Target {
  readonly config: EffectiveConfig;
  readonly switched: boolean;
  readonly serverName: string | null;
  readonly side: TlsServerSide;
}

/** Runs the handshake and verifies the client. Never rejects for what a peer does. */
export async function upgradeControl(session: FtpSession, socket: Socket): Promise<UpgradeResult> {
  const binding = newSessionBinding();
  const sessions = new ControlSessions();
  const notes: string[] = [];
  let target: Target | null = null;
  let extras: HandshakeExtras | null = null;
  const result = await acceptTls({
    socket,
    timeoutSeconds: session.settings.tlsTimeoutHandshake,
    lastWords: HANDSHAKE_FAILED,
    choose: (hello) => {
      const chosen = chooseTarget(session, hello, notes);
      if ('refusal' in chosen) return chosen.refusal;
      target = chosen;
      const refusal = refuseByProfile(hello, chosen.side.versions);
      if (refusal !== null) return refusal;
      extras = handshakeExtras(chosen.side, hello, true);
      return acceptChoice(chosen, hello, binding, sessions, extras);
    },
  });
  // Set by `choose`, which TypeScript does not follow.
  const chosen = target as Target | null;
  const settings = (chosen?.config ?? session.config).settings;
  if (result.kind === 'failed' || chosen === null) {
    const failure = result.kind === 'failed' ? result.failure : ({ kind: 'closed' } as const);
    const situation = {
      cipherSuite: cipherListInForce(settings.tlsCipherSuite),
      offeredVersion: result.hello?.highestVersion ?? null,
      enabledVersions: chosen?.side.versions ?? settings.tlsProtocol,
    };
    return { ok: false, lines: [...notes, ...failureLines(failure, situation)] };
  }
  const identity = identityOf(extras, result.stream);
  const negotiation = reportNegotiation(result.stream, 'control', identity !== null);
  notes.push(negotiation.line);
  if (negotiation.violation !== null) {
    result.stream.destroy();
    const { violation } = negotiation;
    return { ok: false, lines: [...notes, violation], violation };
  }
  const { facts } = session.context;
  const peer = { address: facts.remoteAddress, hostName: facts.remoteName };
  const certificate = await checkClientCertificate(result.stream, settings, chosen.side, peer);
  if (certificate.kind === 'refused') {
    await sayAndDestroy(result.stream);
    return { ok: false, lines: [...notes, ...certificate.lines] };
  }
  if (identity !== null) notes.push(`client authenticated with pre-shared key '${identity}'`);
  return {
    ok: true,
    lines: [...notes, ...(certificate.kind === 'verified' ? certificate.lines : [])],
    control: {
      stream: result.stream,
      bridge: result.bridge,
      side: chosen.side,
      binding,
      sessions,
      negotiated: negotiation.negotiated,
      version: VERSION_NUMBERS.get(result.stream.getProtocol() ?? '') ?? 0,
      securedAt: performance.now(),
      serverName: chosen.serverName,
      client: certificate.kind === 'verified' ? certificate.client : null,
      config: chosen.switched ? chosen.config : null,
    },
  };
}

/** Identity of the pre-shared key a handshake used; null: it used a certificate of ours. */
function identityOf(extras: HandshakeExtras | null, stream: TLSSocket): string | null {
  const identity = extras?.preSharedKey?.identity ?? null;
  // A client may name an identity and still end up with our certificate. In TLS 1.3 a pre-shared key counts as a resumed
  // session (no other can be resumed here), in TLS 1.2 the cipher's name tells.
  const isUsed =
    stream.getProtocol() === 'TLSv1.3' ? stream.isSessionReused() : stream.getCipher().name.includes('PSK');
  return isUsed ? identity : null;
}

function acceptChoice(
  target: Target,
  hello: ClientHello | null,
  binding: string,
  sessions: ControlSessions,
  extras: HandshakeExtras,
): HandshakeChoice {
  const { settings } = target.config;
  const version = hello === null ? null : expectedVersion(hello, target.side.versions);
  const kind = contextKind(version, settings.tlsSessionTickets, 'control', false);
  const wanted = certificateRequest(settings);
  const offersFtp = hello?.alpnProtocols.includes('ftp') === true;
  const needsIds =
    kind === 'no-tickets' || (version !== null && version < 0x0304 && hello?.ticket === 'absent');
  return {
    kind: 'accept',
    secureContext: target.side.contexts.bound(kind, binding),
    requestCertificate: wanted.request,
    requireCertificate: wanted.require,
    // Given any list, Node refuses a client without a common protocol; other offers are to be ignored.
    alpnProtocols: settings.tlsNextProtocol && offersFtp ? ['ftp'] : [],
    sessions: needsIds ? sessions.recorder() : null,
    extras,
    bridged: mayBeCleared(settings),
  };
}

/** CCC may become possible: by the value in force now, or by a section found at login. */
function mayBeCleared(settings: Settings): boolean {
  const mayRelax = settings.tlsOptions.includes('AllowPerUser') || settings.protocols !== null;
  return mayRelax || allowsClearControl(settings.tlsRequired);
}

function chooseTarget(
  session: FtpSession,
  hello: ClientHello | null,
  notes: string[],
): Target | { readonly refusal: HandshakeChoice & { kind: 'refuse' } } {
  const { config } = session;
  const siblings = session.context.siblings.flatMap((id) => config.server.virtualHosts[id] ?? []);
  const chosen = chooseByName({
    serverName: hello?.serverName ?? null,
    requestedHost: session.requestedHost,
    ignoreSni: config.settings.tlsOptions.includes('IgnoreSNI'),
    candidates: [config.virtualHost, ...siblings.filter((host) => host.id !== config.virtualHost.id)],
  });
  if (chosen.kind === 'refused') return refuse(chosen.line, chosen.alert);
  const serverName = chosen.kind === 'unnamed' ? null : chosen.serverName;
  // After login the session's virtual host is settled: its files are open.
  const mayMove = session.login.kind !== 'logged-in';
  const moves = chosen.kind === 'named' && mayMove && chosen.host.id !== config.virtualHost.id;
  const targetConfig = moves ? config.withVirtualHost(chosen.host) : config;
  if (!targetConfig.settings.tlsEngine) return refuse(engineOffLine(serverName ?? ''), 'unrecognized_name');
  const side = tlsServerSide(config.server, targetConfig.settings);
  notes.push(...side.notes);
  if (!side.ok) return refuse('unable to accept TLS connection: no usable certificate', 'access_denied');
  return { config: targetConfig, switched: moves, serverName, side: sideFor(side.side, hello) };
}

/** No session can be resumed on a control connection, so who offers a key means one of TLSPreSharedKey. */
function sideFor(side: TlsServerSide, hello: ClientHello | null): TlsServerSide {
  return (hello?.offersPreSharedKey === true ? side.keyed : null) ?? side;
}

function refuse(
  line: string,
  alert: 'unrecognized_name' | 'access_denied',
): { readonly refusal: HandshakeChoice & { kind: 'refuse' } } {
  return { refusal: { kind: 'refuse', lines: [line], alert: fatalAlert(alert) } };
}

/** 421 under TLS: in TLS 1.3 the client believes the handshake is done and reads on. */
function sayAndDestroy(stream: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, FAREWELL_MS);
    stream.once('close', done);
    stream.end(HANDSHAKE_FAILED, () => stream.destroySoon());
    stream.resume();
    function done(): void {
      clearTimeout(timer);
      stream.destroy();
      resolve();
    }
  });
}
