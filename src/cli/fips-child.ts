/** Runs in the child process of fips-self-test.ts: one JSON answer on standard output. */
import { runFipsProbes, probeFailures } from '../../crypto/fips-probes.ts';
import { loadedFipsModule, runModuleSelfTest } from '../../crypto/fips-module.ts';
import type { SelfTestAnswer } from './fips-self-test.ts';

function answer(): SelfTestAnswer {
  const module = loadedFipsModule();
  if (module === null) return { kind: 'failed', reason: 'no FIPS module is active' };
  const selfTestPassed = runModuleSelfTest() === true;
  return { kind: 'answered', module, selfTestPassed, probeFailures: probeFailures(runFipsProbes()) };
}

process.stdout.write(JSON.stringify(answer()));
