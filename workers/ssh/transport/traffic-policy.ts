/** SFTPTrafficPolicy: IGNORE messages of random size that blur what an observer of the connection can count. */
import { randomBytes, randomInt } from 'node:crypto';
import type { SftpTrafficPolicy } from '../../../src/config/server-config.ts';
import { encodeIgnore } from '../wire/transport-messages.ts';

interface Shape {
  /** One check in so many sends. */
  readonly oneIn: number;
  readonly seconds: number;
  readonly minBytes: number;
  readonly maxBytes: number;
}

const SHAPES: Readonly<Record<Exclude<SftpTrafficPolicy, 'none' | 'rogaway'>, Shape>> = {
  low: { oneIn: 1000, seconds: 5, minBytes: 64, maxBytes: 256 },
  medium: { oneIn: 100, seconds: 5, minBytes: 32, maxBytes: 768 },
  high: { oneIn: 10, seconds: 1, minBytes: 16, maxBytes: 2048 },
  paranoid: { oneIn: 1, seconds: 1, minBytes: 16, maxBytes: 8192 },
};

/** A chained IV is known before the data: an IGNORE in between makes it random (Rogaway). */
const BEFORE_DATA = { minBytes: 64, maxBytes: 256 };

export function randomIgnore(minBytes: number, maxBytes: number): Buffer {
  return encodeIgnore(randomBytes(randomInt(minBytes, maxBytes + 1)));
}

export const ignoreBeforeData = (): Buffer => randomIgnore(BEFORE_DATA.minBytes, BEFORE_DATA.maxBytes);

/** Calls `send` as the policy wants; returns the function that ends it. */
export function startTrafficPolicy(policy: SftpTrafficPolicy, send: (ignore: Buffer) => void): () => void {
  if (policy === 'none' || policy === 'rogaway') return () => undefined;
  const { oneIn, seconds, minBytes, maxBytes } = SHAPES[policy];
  const timer = setInterval(() => {
    if (randomInt(oneIn) === 0) send(randomIgnore(minBytes, maxBytes));
  }, seconds * 1000);
  return () => clearInterval(timer);
}
