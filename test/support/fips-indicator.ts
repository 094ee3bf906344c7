/** Publishes what Node publishes when a FIPS module's service indicator says no. */
import { channel } from 'node:diagnostics_channel';

export function publishFipsIndicator(event: {
  readonly operation: string;
  readonly reason: string;
  readonly blocked: boolean;
  readonly count: number;
  readonly dropped: number;
}): void {
  channel('crypto.fips.indicator').publish(event);
}
