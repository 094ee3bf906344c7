/** What a server costs, by both ways of counting. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { SampledProcesses } from '../../../bench/peers/sampled-processes.ts';
import { ServerAccount } from '../../../bench/peers/server-account.ts';

const BUSY_SECONDS = 0.2;
/** Burns time in a process of its own, which ends; then stays. */
const SCRIPT = `
const { spawnSync } = require('node:child_process');
spawnSync(process.execPath, ['-e', 'const end = process.cpuUsage().user + ${BUSY_SECONDS * 1e6}; while (process.cpuUsage().user < end);']);
console.log('done');
setInterval(() => {}, 1000);
`;

function started(command: readonly string[]): ChildProcess {
  return spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('processor time of a child that has ended counts', { timeout: 20_000 }, async (context) => {
  const account = new ServerAccount(`test-${process.pid}`);
  const child = started(account.wrap([process.execPath, '-e', SCRIPT]));
  context.after(() => void child.kill('SIGKILL'));
  account.attach(child.pid!);
  await once(child.stdout!, 'data');
  assert.ok(account.cpuSeconds() >= BUSY_SECONDS, `${account.cpuSeconds()} s`);
  assert.ok(account.processes().includes(child.pid!));
  assert.ok(account.proportionalMemory() > 2 ** 20);
  const exited = once(child, 'exit');
  await account.close();
  await exited;
  assert.equal(child.signalCode, 'SIGKILL');
});

test('without a control group the samples of /proc count it too', { timeout: 20_000 }, async (context) => {
  const child = started([process.execPath, '-e', SCRIPT]);
  context.after(() => void child.kill('SIGKILL'));
  const sampled = new SampledProcesses(child.pid!);
  context.after(() => sampled.close());
  await once(child.stdout!, 'data');
  assert.ok(sampled.cpuSeconds() >= BUSY_SECONDS, `${sampled.cpuSeconds()} s`);
  assert.ok(sampled.processes().includes(child.pid!));
});
