/** `npm run bench -- transfer`: Lockgate beside the peers that are installed, in one interleaved run. */
import { lockgate } from '../peers/lockgate.ts';
import type { Peer, RunningPeer } from '../peers/peer.ts';
import { proftpd } from '../peers/proftpd.ts';
import { pureFtpd } from '../peers/pure-ftpd.ts';
import { vsftpd } from '../peers/vsftpd.ts';
import { createFixture } from '../support/fixture.ts';
import { summarize } from '../support/statistics.ts';
import { idleSessionBytes, loginsPerSecond, smallDownloadsPerSecond, throughput } from './measures.ts';

export interface TransferBenchOptions {
  readonly quick: boolean;
  /** Names of peers to measure besides Lockgate; empty: all that are installed. */
  readonly peers: readonly string[];
}

type Row = Map<string, number[]>;

const FIRST_PORT = 22100;

/** Measures everything and prints one Markdown table; values are medians with (min-max). */
export async function runTransferBench(options: TransferBenchOptions): Promise<void> {
  const candidates: Peer[] = [lockgate, proftpd, vsftpd, pureFtpd];
  const wanted = candidates.filter(
    (peer) => peer === lockgate || options.peers.length === 0 || options.peers.includes(peer.name),
  );
  const installed = wanted.filter((peer) => peer.version() !== null);
  for (const peer of wanted)
    if (!installed.includes(peer))
      console.error(`${peer.name}: not installed (bench/peers/install.sh unpacks it)`);

  const bytes = options.quick ? 2 ** 28 : 2 ** 30;
  const repeats = options.quick ? 2 : 3;
  const fixture = createFixture(bytes);
  const table = new Map<string, Row>();
  const note = (measure: string, server: string, value: number): void => {
    const row = table.get(measure) ?? new Map<string, number[]>();
    table.set(measure, row);
    row.set(server, [...(row.get(server) ?? []), value]);
  };

  const running: RunningPeer[] = [];
  try {
    for (const [index, peer] of installed.entries())
      running.push(await peer.start(fixture, FIRST_PORT + index));
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const server of running) {
        for (const tls of [true, false]) {
          for (const direction of ['download', 'upload'] as const) {
            const name = `${tls ? 'TLS 1.3' : 'clear'} ${direction}`;
            await attempt(server, name, async () => {
              const result = await throughput(server, fixture, bytes, direction, tls);
              note(`${name}, MB/s`, server.name, result.megabytesPerSecond);
              note(`${name}, server CPU s/GiB`, server.name, result.cpuPerGib);
            });
          }
        }
        for (const tls of ['TLSv1.2', 'TLSv1.3', null] as const) {
          const small = `4 KiB downloads/s, ${tls ?? 'clear'}`;
          await attempt(server, small, async () =>
            note(
              small,
              server.name,
              await smallDownloadsPerSecond(server, fixture, tls, options.quick ? 2 : 4),
            ),
          );
        }
        await attempt(server, 'logins', async () =>
          note(
            'logins/s over TLS ($6$)',
            server.name,
            await loginsPerSecond(server, fixture, options.quick ? 3 : 6),
          ),
        );
      }
    }
    const sessions = options.quick ? 200 : 1000;
    for (const server of running) {
      await attempt(server, 'idle sessions', async () =>
        note(
          `KiB per idle TLS session (${sessions})`,
          server.name,
          (await idleSessionBytes(server, fixture, sessions)) / 1024,
        ),
      );
    }
    print(running, table, bytes, repeats);
  } finally {
    await Promise.all(running.map((server) => server.stop()));
    fixture.remove();
  }
}

/** A peer that fails one measure is reported and goes on with the next. */
async function attempt(server: RunningPeer, what: string, measure: () => Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    console.error(
      `${server.name}: ${what} failed: ${(error as Error).message.split('\n').slice(0, 3).join(' ')}`,
    );
  }
}

function print(
  running: readonly RunningPeer[],
  table: ReadonlyMap<string, Row>,
  bytes: number,
  repeats: number,
): void {
  console.log(
    `\n${bytes / 2 ** 20} MiB files, ${repeats} interleaved runs, medians (min-max), Node ${process.version}\n`,
  );
  console.log(`| measure | ${running.map((server) => `${server.name} ${server.version}`).join(' | ')} |`);
  console.log(`|---|${running.map(() => '---').join('|')}|`);
  for (const [measure, row] of table) {
    const cells = running.map((server) => {
      const values = row.get(server.name);
      if (values === undefined) return 'failed';
      const { median, min, max } = summarize(values);
      return values.length === 1 ? round(median) : `${round(median)} (${round(min)}-${round(max)})`;
    });
    console.log(`| ${measure} | ${cells.join(' | ')} |`);
  }
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
