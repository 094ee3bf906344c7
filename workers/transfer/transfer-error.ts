/** Why a transfer ended early; the protocol maps it to its answer. */
import type { FsError } from '../vfs/fs-error.ts';

export type TransferFailure =
  /** The peer or the network closed the data connection, or the client asked for the end (`by`). */
  | { readonly kind: 'connection-lost' }
  | { readonly kind: 'aborted'; readonly by: 'abor' | 'quit' | 'shutdown' | 'timeout' }
  /** TimeoutStalled: no byte moved for so long. */
  | { readonly kind: 'stalled'; readonly seconds: number }
  /** Reading or writing the file failed. */
  | { readonly kind: 'file'; readonly error: FsError }
  /** MaxStoreFileSize or MaxRetrieveFileSize, in bytes. */
  | { readonly kind: 'size-limit'; readonly limit: number };

export class TransferError extends Error {
  readonly failure: TransferFailure;

  constructor(failure: TransferFailure, options?: ErrorOptions) {
    super(failure.kind, options);
    this.name = 'TransferError';
    this.failure = failure;
  }
}
