/** What a request answers instead of its result. */
import { StatusCode } from './wire/status.ts';

/** A refusal of the protocol's own, where no file system call failed. The text is fixed; null is the code's own. */
export class StatusError extends Error {
  readonly code: StatusCode;
  readonly text: string | null;
  /** UNKNOWN_PRINCIPAL names whom it does not know. */
  readonly errorData: readonly string[];

  constructor(code: StatusCode, text: string | null = null, errorData: readonly string[] = []) {
    super(text ?? `status ${code}`);
    this.name = 'StatusError';
    this.code = code;
    this.text = text;
    this.errorData = errorData;
  }
}

/** A handle this channel never gave out, or has taken back. */
export function unknownHandle(): StatusError {
  return new StatusError(StatusCode.INVALID_HANDLE);
}

export function unsupported(): StatusError {
  return new StatusError(StatusCode.OP_UNSUPPORTED);
}
