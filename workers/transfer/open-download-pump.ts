/** Which pump a download gets. */
import type { Duplex } from 'node:stream';
import { DirectDownloadPump } from './pump-download-direct.ts';
import { DownloadPump, type DownloadOptions } from './pump-download.ts';
import { createFileSender } from './send-file.ts';

export type DownloadMover = DownloadPump | DirectDownloadPump;

/** The kernel's way (`direct`: UseSendfile) where bytes go to a plain, idle socket as they are, else the one with buffers. */
export function openDownloadPump(sink: Duplex, direct: boolean, options: DownloadOptions): DownloadMover {
  const possible = direct && !options.ascii && sink.writableLength === 0;
  const sender = possible ? createFileSender(sink, options.descriptor) : null;
  return sender === null ? new DownloadPump(sink, options) : new DirectDownloadPump(sink, sender, options);
}
