/** SetEnv and UnsetEnv of the main server reach the process itself: TZ decides in which zone times are written. */
import type { Settings } from '../config/server-config.ts';

/** What distributions write for "the zone of this machine", which is what counts without TZ. */
const OWN_ZONE = ':/etc/localtime';

/** Before the first thread starts: each takes its environment and zone with it. */
export function applyEnvironment(settings: Settings): void {
  // The most specific value comes first, so it is applied last.
  for (const { name, value } of settings.setEnv.toReversed()) {
    if (value === null || (name === 'TZ' && value === OWN_ZONE)) delete process.env[name];
    else process.env[name] = value;
  }
}
