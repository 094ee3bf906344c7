/** Entry: command line -> what was asked for. Everything heavy is imported only where it is needed. */
import { helpText, modulesText, settingsText, versionStatusText, versionText } from './cli/answers.ts';
import { parseCommandLine, type CommandLine, type RunFlags } from './cli/command-line.ts';
import { fipsRequest } from './cli/fips-request.ts';
import { stateFolderOf } from './cli/state-folder.ts';

/** Returns the exit code, or null while the server runs. */
async function main(command: CommandLine): Promise<number | null> {
  switch (command.kind) {
    case 'error':
      process.stderr.write(`lockgate: ${command.message}; try 'lockgate --help'\n`);
      return 1;
    case 'help':
      return answer(helpText());
    case 'version':
      return answer(versionText());
    case 'version-status':
      return answer(versionStatusText());
    case 'settings':
      return answer(settingsText());
    case 'modules':
      return answer(modulesText());
    case 'user': {
      const refused = await enterRequestedFips(null, [], false, false);
      if (refused !== null) return refused;
      const { runUserCommand } = await import('./cli/user-command.ts');
      return runUserCommand(command.args, {
        input: process.stdin,
        output: process.stdout,
        error: process.stderr,
        env: process.env,
      });
    }
    case 'fips': {
      const { runFipsCommand } = await import('./cli/fips-command.ts');
      return runFipsCommand(command.args, {
        output: process.stdout,
        error: process.stderr,
        env: process.env,
      });
    }
    case 'check':
    case 'config-test':
    case 'run': {
      const { flags } = command;
      const startsDaemon = command.kind === 'run' && becomesDaemon(flags);
      const refused = await enterRequestedFips(
        flags,
        flags.defines,
        !startsDaemon && !flags.quiet,
        startsDaemon,
      );
      return refused ?? (await withConfiguration(command));
    }
  }
}

/** Before anything else uses OpenSSL. Null: not asked for, or FIPS mode is on; else the exit code. */
async function enterRequestedFips(
  flags: RunFlags | null,
  defines: readonly string[],
  announces: boolean,
  startsDaemon: boolean,
): Promise<number | null> {
  const request = fipsRequest(defines, process.env);
  if (request === null) return null;
  const { enterFips } = await import('./cli/fips-launch.ts');
  const stateFolder = stateFolderOf(flags?.stateFolder ?? null, process.env);
  return enterFips({ request, moduleFlag: flags?.fipsModule ?? null, stateFolder, announces, startsDaemon });
}

/** Without a configuration a person is at the keyboard: the server stays where its first lines are read. */
function becomesDaemon({ configFile, foreground, daemonChild }: RunFlags): boolean {
  return configFile !== null && !foreground && !daemonChild;
}

async function withConfiguration(
  command: CommandLine & { kind: 'check' | 'config-test' | 'run' },
): Promise<number | null> {
  if (command.kind === 'check') return (await import('./cli/check-command.ts')).runCheck(command.flags);
  if (command.kind === 'config-test')
    return (await import('./cli/check-command.ts')).runConfigTest(command.flags);
  if (command.flags.configFile === null && (await isWrongPlace())) return 1;
  (await import('./cli/compile-cache.ts')).useCompileCache();
  if (becomesDaemon(command.flags))
    return (await import('./cli/daemonize.ts')).startDaemon(command.flags, process.argv.slice(2));
  return (await import('./cli/run-server.ts')).runServer(command.flags);
}

/** Says so where sshd started a server that was meant to be its sftp-server. */
async function isWrongPlace(): Promise<boolean> {
  if (process.env['SSH_CONNECTION'] === undefined) return false;
  const { isSshdSubsystem, SSHD_SUBSYSTEM_REFUSAL } = await import('./cli/inetd.ts');
  if (!isSshdSubsystem(process.env)) return false;
  process.stderr.write(SSHD_SUBSYSTEM_REFUSAL);
  return true;
}

function answer(text: string): number {
  process.stdout.write(text);
  return 0;
}

process.exitCode = (await main(parseCommandLine(process.argv.slice(2)))) ?? undefined;
