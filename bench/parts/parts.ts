/** Every part, in the order of a complete run. */
import type { Part } from '../harness/part.ts';
import { fips } from './fips.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { listing } from './listing.ts';
import { logins } from './logins.ts';
import { micro } from './micro.ts';
import { scaling } from './scaling.ts';
import { smallFiles } from './small-files.ts';
import { transfer } from './transfer.ts';

export const PARTS: readonly Part[] = [
  transfer,
  smallFiles,
  logins,
  latency,
  listing,
  scaling,
  idle,
  fips,
  micro,
];
