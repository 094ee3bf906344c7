/** Lines of the TLSLog in mod_tls's wording (ftps-directives, sections 3, 5 and 8). Pure. */
import type { NegotiatedTls } from '../../../crypto/negotiated-tls.ts';

/** Why a handshake did not come about. */
export type HandshakeFailure =
  | { readonly kind: 'timeout'; readonly seconds: number }
  | { readonly kind: 'eof' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'system'; readonly code: string; readonly text: string }
  | { readonly kind: 'protocol'; readonly code: string; readonly library: string; readonly reason: string }
  /** Refused by us before TLS started (SNI) or after the handshake (certificate); the lines are written already. */
  | { readonly kind: 'refused'; readonly lines: readonly string[] };

/** What the helper lines want to know about the server's side. */
export interface HandshakeSituation {
  readonly cipherSuite: string;
  readonly offeredVersion: number | null;
  readonly enabledVersions: readonly string[];
}

const VERSION_NAMES: ReadonlyMap<number, string> = new Map([
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLSv1.1'],
  [0x0303, 'TLSv1.2'],
  [0x0304, 'TLSv1.3'],
]);

/** All lines for a failed handshake, without the closing one that names the channel. */
export function failureLines(failure: HandshakeFailure, situation: HandshakeSituation): string[] {
  const prefix = 'unable to accept TLS connection: ';
  switch (failure.kind) {
    case 'timeout':
      return [`TLS negotiation timed out (${failure.seconds} seconds)`];
    case 'eof':
      return [
        `${prefix}received EOF that violates protocol`,
        'usually this indicates an FTP-aware router, NAT, or firewall interfering with the TLS handshake',
      ];
    case 'closed':
      return [`${prefix}TLS connection closed`];
    case 'system':
      return [`${prefix}system call error: [${failure.code}] ${failure.text}`];
    case 'protocol':
      return [
        `${prefix}protocol error: (1) error:${failure.code}:${failure.library}::${failure.reason}`,
        ...helperLines(failure.reason, situation),
      ];
    case 'refused':
      return [...failure.lines];
  }
}

function helperLines(reason: string, situation: HandshakeSituation): string[] {
  if (/unsupported protocol|wrong version number|no protocols available/.test(reason)) {
    const name = situation.offeredVersion === null ? null : VERSION_NAMES.get(situation.offeredVersion);
    if (name === undefined || name === null || situation.enabledVersions.includes(name)) return [];
    return [`perhaps client requested disabled TLS protocol version: ${name}`];
  }
  if (/no shared cipher/.test(reason)) {
    return [`client does not support any cipher from 'TLSCipherSuite ${situation.cipherSuite}'`];
  }
  if (/peer did not return a certificate/.test(reason)) {
    return ["client did not provide certificate, but one is required via 'TLSVerifyClient on'"];
  }
  return [];
}

/** `error:0A0000C1:SSL routines:FUNCTION:REASON:FILE:LINE` of an OpenSSL error as Node gives it. */
export function classifyError(error: Error): HandshakeFailure {
  const match = /error:([0-9A-Fa-f]+):([^:]*):[^:]*:([^:]*)/.exec(error.message);
  const coded = error as NodeJS.ErrnoException & { library?: string; reason?: string };
  if (match !== null) {
    return {
      kind: 'protocol',
      code: match[1] ?? '',
      library: match[2] ?? '',
      reason: (match[3] ?? '').trim(),
    };
  }
  if (coded.syscall !== undefined || coded.errno !== undefined) {
    return { kind: 'system', code: coded.code ?? 'EUNKNOWN', text: systemText(coded.code) };
  }
  if (coded.code === 'ECONNRESET') return { kind: 'eof' };
  return { kind: 'protocol', code: coded.code ?? '0', library: 'SSL routines', reason: 'handshake failure' };
}

function systemText(code: string | undefined): string {
  switch (code) {
    case 'ECONNRESET':
      return 'Connection reset by peer';
    case 'EPIPE':
      return 'Broken pipe';
    case 'ETIMEDOUT':
      return 'Connection timed out';
    default:
      return 'Unknown error';
  }
}

export function controlAcceptedLine(tls: NegotiatedTls): string {
  const resumed = tls.resumed ? ', resumed session' : '';
  return `${tls.protocol} connection accepted, using cipher ${tls.cipher} (${tls.bits} bits${resumed})`;
}

export function dataAcceptedLine(tls: NegotiatedTls): string {
  const resumed = tls.resumed ? ', resumed session' : '';
  return `${tls.protocol} data connection accepted, using cipher ${tls.cipher} (${tls.bits} bits${resumed})`;
}

const REUSE_HINT = 'rejecting data connection (see the NoSessionReuseRequired TLSOptions parameter)';

/** No session offered, or one that is not the control connection's. */
export function reuseViolationLine(offeredSession: boolean): string {
  return offeredSession
    ? `client did not reuse TLS session from control channel, ${REUSE_HINT}`
    : `client did not reuse TLS session, ${REUSE_HINT}`;
}

export const DATA_FAILED_LINE = 'unable to open data connection: TLS negotiation failed';
export const CERTIFICATE_MISMATCH_LINE = 'unable to open data connection: control/data certificate mismatch';
