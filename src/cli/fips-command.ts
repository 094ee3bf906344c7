/** `lockgate fips status|install|self-test|report`: what there is, made ready, tested, and written down for an auditor. */
import type { Writable } from 'node:stream';
import { originOf } from '../../crypto/fips-module-config.ts';
import { fipsMode } from '../../crypto/fips-module.ts';
import { validationOf, validationText } from '../../crypto/fips-validated-modules.ts';
import { attest, attestationText, isSound } from '../../crypto/fips-attestation.ts';
import { FipsError } from './fips-error.ts';
import {
  checkInstallation,
  findModule,
  installModule,
  readRecord,
  type FipsInstallation,
} from './fips-install.ts';
import { enterFips } from './fips-launch.ts';
import { askSelfTestChild } from './fips-self-test.ts';
import { stateFolderOf } from './state-folder.ts';

/** What the command writes to; tests give streams of their own. */
export interface FipsCommandIo {
  readonly output: Writable;
  readonly error: Writable;
  readonly env: NodeJS.ProcessEnv;
}

const EXIT = { done: 0, refused: 1, usage: 2 } as const;

const USAGE = `Usage: lockgate fips status     which module there is, and whether it is as it was installed
       lockgate fips install    run the module's self-tests and write its configuration into the state folder
       lockgate fips self-test  run the known-answer tests again, in a process of their own
       lockgate fips report     an attestation, made in FIPS mode
  --state DIR          state folder (default: LOCKGATE_STATE, else ~/.local/state/lockgate)
  --fips-module PATH   the module (default: OPENSSL_MODULES, else the installed one, else the system's)
  --sha256 HEX         install: only the module with this digest
  --json               report and status as JSON
`;

const ACTIONS = ['status', 'install', 'self-test', 'report'] as const;

interface Arguments {
  readonly action: (typeof ACTIONS)[number];
  readonly stateFolder: string;
  readonly moduleFlag: string | null;
  readonly sha256: string | null;
  readonly json: boolean;
}

/**
 * @param argv the words behind `lockgate fips`
 * @returns the exit code: 0 all is well, 1 it is not, 2 the command line is wrong
 */
export async function runFipsCommand(argv: readonly string[], io: FipsCommandIo): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.output.write(USAGE);
    return EXIT.done;
  }
  const given = readArguments(argv, io.env);
  if (typeof given === 'string') {
    io.error.write(`lockgate fips: ${given}\n${USAGE}`);
    return EXIT.usage;
  }
  try {
    return await ACTION[given.action](given, io);
  } catch (error) {
    if (!(error instanceof FipsError)) throw error;
    io.error.write(`lockgate fips: ${error.message}\n`);
    return EXIT.refused;
  }
}

const ACTION: Readonly<
  Record<Arguments['action'], (given: Arguments, io: FipsCommandIo) => Promise<number> | number>
> = {
  status,
  install,
  'self-test': selfTest,
  report,
};

function status(given: Arguments, io: FipsCommandIo): number {
  const record = readRecord(given.stateFolder);
  if (record === null) {
    const path = findModule(given.moduleFlag, io.env, given.stateFolder);
    io.output.write(
      given.json
        ? `${JSON.stringify({ installed: false, path }, null, 2)}\n`
        : `Module:     ${path}\nInstalled:  no; run 'lockgate fips install' (a start in FIPS mode does it, too)\n`,
    );
    return EXIT.refused;
  }
  const installation = checkInstallation(given.stateFolder);
  const { module, path, sha256, installed } = installation.module;
  const validation = validationText(validationOf(module, originOf(path), new Date()));
  io.output.write(
    given.json
      ? `${JSON.stringify({ installed: true, mode: installation.mode, file: installation.module, validation }, null, 2)}\n`
      : [
          `Module:     ${module.name} ${module.version} (build info: ${module.buildInfo})`,
          `File:       ${path}`,
          `SHA-256:    ${sha256}`,
          `Installed:  ${installed}, unchanged since`,
          `Mode:       ${installation.mode}, when asked for with -D TLS_USE_FIPS, -D SFTP_USE_FIPS or LOCKGATE_FIPS=1`,
          `Validation: ${validation}`,
          '',
        ].join('\n'),
  );
  return EXIT.done;
}

async function install(given: Arguments, io: FipsCommandIo): Promise<number> {
  const path = findModule(given.moduleFlag, io.env, given.stateFolder);
  const installation = await installModule(path, given.stateFolder, given.sha256);
  const { module, sha256 } = installation.module;
  io.output.write(
    `Self-tests of '${path}' passed: ${module.name} ${module.version}, SHA-256 ${sha256}\n` +
      `Configuration: ${installation.moduleConfig}\n` +
      `Validation: ${validationText(validationOf(module, originOf(path), new Date()))}\n`,
  );
  return EXIT.done;
}

async function selfTest(given: Arguments, io: FipsCommandIo): Promise<number> {
  const installation = checkInstallation(given.stateFolder);
  const result = await selfTestResult(installation);
  io.output.write(
    result === 'passed'
      ? `Known-answer tests of '${installation.module.path}' passed.\n`
      : `Known-answer tests of '${installation.module.path}' FAILED: ${result.failed}\n`,
  );
  return result === 'passed' ? EXIT.done : EXIT.refused;
}

async function selfTestResult(installation: FipsInstallation): Promise<'passed' | { failed: string }> {
  const answer = await askSelfTestChild(installation.libraryConfig);
  if (answer.kind === 'failed') return { failed: answer.reason };
  if (!answer.selfTestPassed) return { failed: 'a known-answer test' };
  return answer.probeFailures === '' ? 'passed' : { failed: answer.probeFailures };
}

/** In FIPS mode: this process is replaced by one that is, and that one reports. */
async function report(given: Arguments, io: FipsCommandIo): Promise<number> {
  const { stateFolder, moduleFlag } = given;
  const refused = await enterFips({
    request: { modules: ['mod_tls'] },
    moduleFlag,
    stateFolder,
    announces: false,
    startsDaemon: false,
  });
  if (refused !== null) return refused;
  if (fipsMode() === 'off') throw new FipsError('this process is not in FIPS mode');
  const installation = checkInstallation(stateFolder);
  const { path, sha256, mac, installed } = installation.module;
  const attestation = attest(
    { path, sha256, mac, installed },
    await selfTestResult(installation),
    new Date(),
  );
  io.output.write(given.json ? `${JSON.stringify(attestation, null, 2)}\n` : attestationText(attestation));
  return isSound(attestation) ? EXIT.done : EXIT.refused;
}

function readArguments(argv: readonly string[], environment: NodeJS.ProcessEnv): Arguments | string {
  const values: Record<'state' | 'fips-module' | 'sha256', string | null> = {
    state: null,
    'fips-module': null,
    sha256: null,
  };
  let action: Arguments['action'] | null = null;
  let json = false;
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index]!;
    const match = /^--(state|fips-module|sha256)(?:=(.*))?$/s.exec(argument);
    if (match !== null) {
      const name = match[1] as keyof typeof values;
      const value = match[2] ?? argv[(index += 1)];
      if (value === undefined) return `option '--${name}' requires a value`;
      values[name] = value;
    } else if (argument === '--json') {
      json = true;
    } else if (action === null && (ACTIONS as readonly string[]).includes(argument)) {
      action = argument as Arguments['action'];
    } else {
      return argument.startsWith('-') ? `unknown option '${argument}'` : `unknown command '${argument}'`;
    }
  }
  if (action === null) return 'status, install, self-test or report?';
  return {
    action,
    json,
    stateFolder: stateFolderOf(values.state, environment),
    moduleFlag: values['fips-module'],
    sha256: values.sha256,
  };
}
