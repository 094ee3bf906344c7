/** Medians and spreads of repeated measurements, and whether two sets of them differ. */

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @param values - at least one */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('no values to summarize');
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantileOfSorted(sorted, 0.5), min: sorted[0]!, max: sorted.at(-1)! };
}

/** The value below which `share` (0 to 1) of the values lie, interpolated between neighbours. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('no values');
  return quantileOfSorted(
    values.toSorted((a, b) => a - b),
    share,
  );
}

function quantileOfSorted(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
}

export interface RatioInterval {
  /** Geometric mean of the second set divided by that of the first. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How many times larger the second set is than the first, with the bounds that hold it in `confidence` of all cases:
 * Welch's interval on logarithms, which asks for neither equal spread nor equal numbers of runs. Null where it cannot
 * be said: fewer than two values in a set, or one that is not positive.
 */
export function ratioInterval(
  first: readonly number[],
  second: readonly number[],
  confidence: number,
): RatioInterval | null {
  if (first.length < 2 || second.length < 2) return null;
  if ([...first, ...second].some((value) => !(value > 0 && Number.isFinite(value)))) return null;
  const a = moments(first.map(Math.log));
  const b = moments(second.map(Math.log));
  const difference = b.mean - a.mean;
  const squaredError = a.squaredError + b.squaredError;
  let half = 0;
  if (squaredError > 0) {
    const freedom =
      squaredError ** 2 /
      (a.squaredError ** 2 / (first.length - 1) + b.squaredError ** 2 / (second.length - 1));
    half = studentQuantile((1 + confidence) / 2, freedom) * Math.sqrt(squaredError);
  }
  return { ratio: Math.exp(difference), low: Math.exp(difference - half), high: Math.exp(difference + half) };
}

/** Mean, and the squared standard error of that mean. */
function moments(values: readonly number[]): { readonly mean: number; readonly squaredError: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, squaredError: squares / (values.length - 1) / values.length };
}

/** Quantile of Student's t distribution for shares above one half, by halving the interval 60 times. */
export function studentQuantile(share: number, freedom: number): number {
  let low = 0;
  let high = 1;
  while (studentShare(high, freedom) < share && high < 1e9) high *= 2;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (studentShare(middle, freedom) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T <= t) for t >= 0: one minus half the regularized incomplete beta function (Abramowitz and Stegun, 26.7.1). */
function studentShare(t: number, freedom: number): number {
  return 1 - regularizedBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
}

/** Continued fraction of Abramowitz and Stegun 26.5.8, evaluated from the front (Lentz). */
function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side only.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const tiny = 1e-300;
  const guard = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 300; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-12) break;
  }
  return (front * fraction) / a;
}

/** Lanczos' approximation (g = 5, six terms); error below 2e-10. */
function logGamma(z: number): number {
  const terms = [
    76.18009172947146, -86.5053203294168, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3,
    -5.395239384953e-6,
  ];
  const base = z + 5.5;
  const sum = terms.reduce((total, term, index) => total + term / (z + 1 + index), 1.000000000190015);
  return (z + 0.5) * Math.log(base) - base + Math.log((Math.sqrt(2 * Math.PI) * sum) / z);
}
