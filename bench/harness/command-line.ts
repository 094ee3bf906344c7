/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import type { Scale } from './sizes.ts';

export type BenchCommand =
  | {
      readonly kind: 'run';
      /** Empty: all. */
      readonly parts: readonly string[];
      /** Null: all that are installed; empty: Lockgate alone. */
      readonly peers: readonly string[] | null;
      readonly scale: Scale;
      /** Null: bench/results. */
      readonly out: string | null;
    }
  | { readonly kind: 'compare'; readonly base: string; readonly next: string | null }
  | { readonly kind: 'usage'; readonly complaint: string | null };

export const USAGE = `usage: npm run bench [-- [PART ...] [--peers a,b|none] [--short|--quick] [--out FOLDER]]
       npm run bench -- compare BASE [NEW]

--quick only shows that everything runs; --short takes about a tenth of the time of a full run.
A run writes FOLDER/<date>.json and a page with tables and plots beside it (bench/results by default).
compare takes two result files, or one and the newest of bench/results.
`;

export function parseCommandLine(args: readonly string[], knownParts: readonly string[]): BenchCommand {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        peers: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return { kind: 'usage', complaint: (error as Error).message };
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'usage', complaint: null };
  if (positionals[0] === 'compare') {
    const [, base, next, ...more] = positionals;
    if (base === undefined || more.length > 0)
      return { kind: 'usage', complaint: 'compare takes one or two files' };
    return { kind: 'compare', base, next: next ?? null };
  }
  const unknown = positionals.find((name) => !knownParts.includes(name));
  if (unknown !== undefined)
    return { kind: 'usage', complaint: `no part '${unknown}'; parts: ${knownParts.join(', ')}` };
  return {
    kind: 'run',
    parts: positionals,
    peers: peerNames(values.peers),
    scale: values.quick ? 'quick' : values.short ? 'short' : 'full',
    out: values.out ?? null,
  };
}

function peerNames(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  return text.split(',').filter((name) => name !== '' && name !== 'none');
}
