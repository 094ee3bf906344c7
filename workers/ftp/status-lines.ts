/** Body of STAT without an argument (RFC 959, section 4.1.3; layout: core reference, section 20). */
import type { FtpSession } from './session-types.ts';

/** Connection, user, parameters, bytes, and what the data connection does now. */
export function statusLines(session: FtpSession): string[] {
  const { facts } = session.context;
  const type = session.transferType === 'ascii' ? 'ASCII' : 'BINARY';
  const total = facts.bytesIn + facts.bytesOut + (session.activeTransfer?.bytes ?? 0);
  const lines = [
    `Connected from ${facts.remoteName} (${facts.remoteAddress})`,
    `Logged in as ${facts.user ?? facts.loginName ?? ''}`,
    `TYPE: ${type}, STRUcture: File, Mode: Stream`,
  ];
  if (total > 0) lines.push(`Total bytes transferred for session: ${total}`);
  lines.push(...dataLines(session));
  return lines;
}

function dataLines(session: FtpSession): string[] {
  const { activeTransfer } = session;
  const { endpoint } = session.data;
  if (endpoint === null && activeTransfer === null) return ['No data connection'];
  const lines: string[] = [];
  if (endpoint !== null) {
    const [mode, direction] = endpoint.mode === 'passive' ? ['Passive', 'from'] : ['Active', 'to'];
    lines.push(`${mode} data transfer ${direction} ${endpoint.address} port ${endpoint.port}`);
  }
  if (activeTransfer !== null) {
    const { verb, clientPath, totalBytes, bytes } = activeTransfer;
    lines.push(`${verb} ${clientPath} (${totalBytes === null ? bytes : `${totalBytes}/${bytes}`})`);
  }
  return lines;
}
