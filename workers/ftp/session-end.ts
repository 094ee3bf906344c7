/** How a session ends: the outcome, its words in %E, and the last reply. */
import type { EndReason } from '../../src/actor/messages.ts';
import type { SessionContext } from '../session/session-context.ts';
import { reply, type Reply } from './wire/reply.ts';

export interface Outcome {
  readonly reason: EndReason;
  readonly detail: string | null;
}

/** %E of ExtendedLog. */
const endTexts: Readonly<Record<EndReason, string>> = {
  quit: 'Quit',
  'peer-closed': 'Read EOF from client',
  timeout: 'Timeout exceeded',
  'protocol-error': 'Module-specific policy',
  policy: 'Configured policy',
  refused: 'Session initialized failed',
  kicked: 'Terminated by signal',
  shutdown: 'Server shutting down',
  error: 'Application error',
};

/** Notes the outcome where ExtendedLog reads it. */
export function noteEnd(context: SessionContext, { reason, detail }: Outcome): void {
  const text = endTexts[reason];
  context.facts.endReason = detail === null ? text : `${text}: ${detail}`;
}

/** Main words what is said at the end; a text without a code gets 421 (RFC 959: service not available, closing). */
export function lastReply(text: string): Reply {
  const coded = /^(\d{3}) (.*)$/s.exec(text);
  return coded === null ? reply(421, text) : reply(Number(coded[1]), coded[2] ?? '');
}
