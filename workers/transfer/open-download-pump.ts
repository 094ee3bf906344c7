/** Which pump a download gets. */
import type { Duplex } from 'node:stream';
import { DirectDownloadPump } from './pump-download-direct.ts';
import { DownloadPump, SYNC_READ_LIMIT, type DownloadOptions } from './pump-download.ts';
import { createFileSender } from './send-file.ts';

export type DownloadMover = DownloadPump | DirectDownloadPump;

/**
 * The kernel's way (`direct`: UseSendfile) where bytes go to a plain, idle socket as they are, else the one with buffers.
 * That one also has the small files, for which one read and one write cost no more.
 */
export function openDownloadPump(sink: Duplex, direct: boolean, options: DownloadOptions): DownloadMover {
  const suits = direct && !options.ascii && options.expected > SYNC_READ_LIMIT && sink.writableLength === 0;
  const sender = suits ? createFileSender(sink, options.descriptor) : null;
  return sender === null ? new DownloadPump(sink, options) : new DirectDownloadPump(sink, sender, options);
}
