/** How a session ends: the outcome, its words in %E, and the last reply. */
import type { EndReason } from '../../src/actor/messages.ts';
import { endReasonText } from '../../src/log/end-reason.ts';
import type { SessionContext } from '../session/session-context.ts';
import { reply, type Reply } from './wire/reply.ts';

export interface Outcome {
  readonly reason: EndReason;
  readonly detail: string | null;
}

/** Notes the outcome where ExtendedLog reads it. */
export function noteEnd(context: SessionContext, { reason, detail }: Outcome): void {
  context.facts.endReason = endReasonText(reason, detail);
}

/** Main words what is said at the end; a text without a code gets 421 (RFC 959: service not available, closing). */
export function lastReply(text: string): Reply {
  const coded = /^(\d{3}) (.*)$/s.exec(text);
  return coded === null ? reply(421, text) : reply(Number(coded[1]), coded[2] ?? '');
}
