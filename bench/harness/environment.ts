/** The machine a run was made on. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Machine } from './results.ts';

/** @param cpuAccount - how server CPU is counted, for the page */
export function describeMachine(cpuAccount: string): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    processors: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.versions.node,
    nodeOpenssl: process.versions.openssl,
    systemOpenssl: execFileSync('openssl', ['version'], { timeout: 10_000 }).toString().trim(),
    cpuAccount,
    loadBefore: loadavg()[0]!,
  };
}
