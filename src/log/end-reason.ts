/** Why a session ended, in the words of ExtendedLog's %E (core reference, section 9). */
import type { EndReason } from '../actor/messages.ts';

const TEXTS: Readonly<Record<EndReason, string>> = {
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

/** `Timeout exceeded: TimeoutIdle`; the reason alone where there is no detail. */
export function endReasonText(reason: EndReason, detail: string | null): string {
  return detail === null ? TEXTS[reason] : `${TEXTS[reason]}: ${detail}`;
}
