/** What a client is told when one of its session's clocks has run out. */
import type { TimeoutKind } from '../transfer/session-timers.ts';
import { reply, type Reply } from './wire/reply.ts';

export { SessionTimers, timeoutDirectives, type TimeoutKind } from '../transfer/session-timers.ts';

const names: Readonly<Record<TimeoutKind, string>> = {
  login: 'Login timeout',
  idle: 'Idle timeout',
  'no-transfer': 'No transfer timeout',
  session: 'Session Timeout',
};

export function timeoutReply(kind: TimeoutKind, seconds: number): Reply {
  return reply(421, `${names[kind]} (${seconds} seconds): closing control connection`);
}
