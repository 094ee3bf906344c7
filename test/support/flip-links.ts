/**
 * Runs as a process of its own: flips a link between a directory inside a root and one outside of it, as fast as it
 * can, until its standard input ends. Arguments: link, inside target, outside target.
 */
import { renameSync, rmSync, symlinkSync } from 'node:fs';

const [link, inside, outside] = process.argv.slice(2);
if (link === undefined || inside === undefined || outside === undefined)
  throw new Error('usage: flip-links LINK INSIDE OUTSIDE');

let ended = false;
process.stdin.on('end', () => (ended = true)).resume();
process.stdout.write('ready\n');

const FLIPS_PER_TURN = 500;
const next = `${link}.next`;

const path = link;
const targets = [outside, inside];

function turn(): void {
  for (let flip = 0; flip < FLIPS_PER_TURN; flip++) {
    rmSync(next, { force: true });
    symlinkSync(targets[flip % 2] ?? path, next);
    renameSync(next, path);
  }
  if (!ended) setImmediate(turn);
}

turn();
