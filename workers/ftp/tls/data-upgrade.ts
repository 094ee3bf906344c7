/** TLS on a data connection: handshake, session reuse, certificate, log lines (ftps-directives, sections 3 and 5.1). */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { cipherListInForce } from '../../../crypto/tls-context.ts';
import type { Settings, TlsOption } from '../../../src/config/server-config.ts';
import { DataTlsError } from '../session-types.ts';
import { certificateRequest } from './client-certificate.ts';
import { offersSession, TLS_1_3 } from './client-hello.ts';
import type { SecuredControl } from './control-upgrade.ts';
import { connectTls } from './data-client.ts';
import { refuseByProfile, reportNegotiation, type NegotiationReport } from './profile-gate.ts';
import { refuseClientRenegotiation, renegotiateByVolume } from './renegotiation.ts';
import { handshakeExtras } from './handshake-extras.ts';
import { acceptTls } from './server-handshake.ts';
import { contextKind, reuseIsWaived, sessionAge } from './session-reuse.ts';
import {
  CERTIFICATE_MISMATCH_LINE,
  DATA_FAILED_LINE,
  failureLines,
  reuseViolationLine,
} from './tls-log-lines.ts';

export interface DataRequest {
  readonly socket: Socket;
  readonly verb: string;
  readonly control: SecuredControl;
  readonly controlCleared: boolean;
  /** SSCN ON. */
  readonly clientMethod: boolean;
  readonly settings: Settings;
  /** TLSOptions in force, those found after login included. */
  readonly options: ReadonlySet<TlsOption>;
  /** Told of what each handshake settled on, and of what lay outside the crypto profile. */
  readonly negotiated: (report: NegotiationReport) => void;
  readonly log: (text: string) => void;
}

const UPLOADS: ReadonlySet<string> = new Set(['STOR', 'APPE', 'STOU']);
/** SSCN changes the role for these only; listings always have the server's. */
const SITE_TO_SITE: ReadonlySet<string> = new Set(['RETR', 'STOR', 'APPE', 'STOU']);

/** The protected data stream. Throws DataTlsError after logging why; the socket is then closed. */
export async function secureDataConnection(request: DataRequest): Promise<TLSSocket> {
  const asClient = request.clientMethod && SITE_TO_SITE.has(request.verb);
  const stream = asClient ? await actAsClient(request) : await actAsServer(request);
  const negotiation = reportNegotiation(stream, 'data');
  request.negotiated(negotiation);
  if (negotiation.violation !== null) {
    stream.destroy();
    throw fail(request, [negotiation.violation, DATA_FAILED_LINE]);
  }
  if (
    request.options.has('AllowClientRenegotiations') ||
    (request.settings.tlsRenegotiate?.dataKilobytes ?? 0) > 0
  ) {
    renegotiateByVolume(stream, request.settings, request.log);
  } else {
    refuseClientRenegotiation(stream, request.log);
  }
  return stream;
}

async function actAsClient(request: DataRequest): Promise<TLSSocket> {
  const result = await connectTls(request.socket, request.settings, request.control.side);
  if (result.kind === 'secured') return result.stream;
  throw fail(request, [...result.lines, DATA_FAILED_LINE]);
}

async function actAsServer(request: DataRequest): Promise<TLSSocket> {
  const { control, settings } = request;
  const isWaived = reuseIsWaived(settings.tlsSessionCache, request.options, request.controlCleared);
  const kind = contextKind(
    control.version,
    settings.tlsSessionTickets,
    UPLOADS.has(request.verb) ? 'upload' : 'download',
    !isWaived,
  );
  const wanted = certificateRequest(settings);
  const result = await acceptTls({
    socket: request.socket,
    timeoutSeconds: settings.tlsTimeoutHandshake,
    lastWords: null,
    choose: (hello) =>
      refuseByProfile(hello, control.side.versions) ?? {
        kind: 'accept',
        secureContext: control.side.contexts.bound(kind, control.binding),
        requestCertificate: wanted.request,
        requireCertificate: wanted.require,
        alpnProtocols: [],
        sessions: control.version < TLS_1_3 ? control.sessions.reader() : null,
        extras: handshakeExtras(control.side, hello, isWaived),
        bridged: false,
      },
  });
  if (result.kind === 'failed') {
    const situation = {
      cipherSuite: cipherListInForce(settings.tlsCipherSuite),
      offeredVersion: result.hello?.highestVersion ?? null,
      enabledVersions: control.side.versions,
    };
    throw fail(request, [...failureLines(result.failure, situation), DATA_FAILED_LINE]);
  }
  const { stream, hello } = result;
  const violation =
    reuseViolation(request, stream, hello !== null && offersSession(hello)) ??
    certificateViolation(request, stream);
  if (violation === null) return stream;
  stream.destroy();
  throw fail(request, violation);
}

function reuseViolation(request: DataRequest, stream: TLSSocket, offered: boolean): readonly string[] | null {
  const { control, settings } = request;
  const age = sessionAge((performance.now() - control.securedAt) / 1000, control.side.lifetimeSeconds);
  if (reuseIsWaived(settings.tlsSessionCache, request.options, request.controlCleared)) return null;
  if (!stream.isSessionReused() || age.expired) return [reuseViolationLine(offered), DATA_FAILED_LINE];
  for (const warning of age.warnings) request.log(warning);
  if (settings.tlsOptions.includes('EnableDiags'))
    request.log('client reused TLS session for data connection');
  return null;
}

/** A client that proved who it is on the control connection must not be another one here. */
function certificateViolation(request: DataRequest, stream: TLSSocket): readonly string[] | null {
  const expected = request.control.client?.certificate;
  const shown = stream.getPeerX509Certificate();
  if (expected === undefined || shown === undefined) return null;
  return shown.fingerprint512 === expected.fingerprint512 ? null : [CERTIFICATE_MISMATCH_LINE];
}

function fail(request: DataRequest, lines: readonly string[]): DataTlsError {
  for (const line of lines) request.log(line);
  return new DataTlsError('the data connection could not be secured');
}
