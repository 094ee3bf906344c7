/** Which pump an upload gets. */
import type { Duplex } from 'node:stream';
import { DirectUploadPump } from './pump-upload-direct.ts';
import { canReceiveInto } from './receive-into.ts';
import { UploadPump, type UploadOptions } from './pump-upload.ts';

export type UploadMover = UploadPump | DirectUploadPump;

/** The direct way where bytes go to the file as they are and as fast as they come, else the one with 'data' events. */
export function openUploadPump(source: Duplex, options: UploadOptions): UploadMover {
  const asItComes = !options.ascii && options.rate === null;
  return asItComes && canReceiveInto(source)
    ? new DirectUploadPump(source, options)
    : new UploadPump(source, options);
}
