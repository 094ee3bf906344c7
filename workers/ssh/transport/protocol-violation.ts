/** The peer's fault, or a policy's answer to it: the connection ends with DISCONNECT. */
import type { EndReason } from '../../../src/actor/messages.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';

/** Thrown anywhere below the session; `text` is fixed and may be sent, `logText` is for SFTPLog only. */
export class ProtocolViolation extends Error {
  readonly code: number;
  readonly text: string;
  readonly logText: string | null;
  readonly endReason: EndReason;

  constructor(
    text: string,
    options: {
      readonly code?: number;
      readonly logText?: string;
      readonly endReason?: EndReason;
    } = {},
  ) {
    super(text);
    this.name = 'ProtocolViolation';
    this.text = text;
    this.code = options.code ?? DisconnectCode.protocolError;
    this.logText = options.logText ?? null;
    this.endReason = options.endReason ?? 'protocol-error';
  }
}
