/** One line of the wu-ftpd "xferlog" format (TransferLog). */
import { escapeControls, underscoreBlanks } from './log-text.ts';
import type { TransferRecord } from './session-log.ts';
import { clock, pad, shortDay, shortMonth } from './strftime.ts';

/**
 * `DDD MMM dd hh:mm:ss YYYY SECS HOST BYTES PATH a|b _ i|o|d a|r USER SERVICE 0|1 *|IDENT c|i`, newline included.
 * Blanks and control characters of names become `_`, so the fields always count the same.
 */
export function formatTransferLine(record: TransferRecord, host: string): string {
  const at = record.finishedAt;
  const stamp = `${shortDay(at)} ${shortMonth(at)} ${pad(at.getDate())} ${clock(at)} ${at.getFullYear()}`;
  const fields = [
    stamp,
    Math.max(0, Math.round(record.seconds)),
    underscoreBlanks(host),
    record.bytes,
    underscoreBlanks(record.realPath),
    record.ascii ? 'a' : 'b',
    '_',
    record.direction,
    record.anonymous ? 'a' : 'r',
    underscoreBlanks(record.user) || '-',
    record.service,
    record.identUser === null ? '0 *' : `1 ${underscoreBlanks(record.identUser)}`,
    record.completed ? 'c' : 'i',
  ];
  return `${escapeControls(fields.join(' '))}\n`;
}
