/**
 * TLSRenegotiate and AllowClientRenegotiations (ftps-directives, section 6). Only TLS 1.2 and below renegotiate; for
 * TLS 1.3 Node has no key update call, so the directive has no effect there.
 */
import type { TLSSocket } from 'node:tls';
import type { Settings } from '../../../src/config/server-config.ts';

export interface RenegotiationHooks {
  readonly log: (text: string) => void;
  /** A required renegotiation did not come about in time. */
  readonly timedOut: () => void;
}

/** How often the byte counters of a data connection are looked at. */
const DATA_CHECK_MS = 1_000;

export function canRenegotiate(stream: TLSSocket): boolean {
  const protocol = stream.getProtocol();
  return protocol !== null && protocol !== 'TLSv1.3';
}

/** Refuses renegotiation by the client: the connection is aborted and the log says why (CVE-2011-1473). */
export function refuseClientRenegotiation(stream: TLSSocket, log: (text: string) => void): void {
  stream.disableRenegotiation();
  stream.on('_tlsError', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_TLS_RENEGOTIATION_DISABLED') {
      log('warning: client-initiated session renegotiation detected, aborting connection');
    }
  });
}

/** Renegotiates the control connection every `ctrl` seconds. Returns what stops it. */
export function renegotiateByTime(
  stream: TLSSocket,
  settings: Settings,
  hooks: RenegotiationHooks,
): () => void {
  const rule = settings.tlsRenegotiate;
  const allowed = settings.tlsOptions.includes('AllowClientRenegotiations');
  if (rule === null || rule.controlSeconds === 0 || !allowed || !canRenegotiate(stream)) return nothingToStop;
  let deadline: NodeJS.Timeout | null = null;
  const timer = setInterval(() => {
    hooks.log(
      `requesting TLS renegotiation on control channel (${rule.controlSeconds} sec renegotiation interval)`,
    );
    const started = stream.renegotiate({}, () => stopTimer(deadline));
    if (started !== true || !rule.required) return;
    stopTimer(deadline);
    deadline = setTimeout(() => {
      hooks.log('requested TLS renegotiation timed out on control channel');
      hooks.timedOut();
    }, rule.timeoutSeconds * 1000);
  }, rule.controlSeconds * 1000);
  return () => {
    clearInterval(timer);
    stopTimer(deadline);
  };
}

/** Renegotiates a data connection every `data` kilobytes, while it lives. */
export function renegotiateByVolume(
  stream: TLSSocket,
  settings: Settings,
  log: (text: string) => void,
): void {
  const rule = settings.tlsRenegotiate;
  if (rule === null || rule.dataKilobytes === 0 || !canRenegotiate(stream)) return;
  let mark = 0;
  const timer = setInterval(() => {
    const moved = stream.bytesRead + stream.bytesWritten;
    if (moved - mark < rule.dataKilobytes * 1024) return;
    mark = moved;
    log(`requesting TLS renegotiation on data channel (${rule.dataKilobytes} KB data limit)`);
    stream.renegotiate({}, () => undefined);
  }, DATA_CHECK_MS);
  stream.once('close', () => clearInterval(timer));
}

function stopTimer(timer: NodeJS.Timeout | null): void {
  if (timer !== null) clearTimeout(timer);
}

function nothingToStop(): void {
  return undefined;
}
