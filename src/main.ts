/** Entry: command line -> what was asked for. Everything heavy is imported only where it is needed. */
import { helpText, modulesText, settingsText, versionStatusText, versionText } from './cli/answers.ts';
import { parseCommandLine, type CommandLine } from './cli/command-line.ts';
import { asksForFips, fipsRefusal } from './cli/fips-request.ts';

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
      const { runUserCommand } = await import('./cli/user-command.ts');
      return runUserCommand(command.args, {
        input: process.stdin,
        output: process.stdout,
        error: process.stderr,
        env: process.env,
      });
    }
    case 'check':
    case 'config-test':
    case 'run':
      if (asksForFips(command.flags.defines, process.env)) {
        process.stderr.write(fipsRefusal());
        return 1;
      }
      return withConfiguration(command);
  }
}

async function withConfiguration(
  command: CommandLine & { kind: 'check' | 'config-test' | 'run' },
): Promise<number | null> {
  if (command.kind === 'check') return (await import('./cli/check-command.ts')).runCheck(command.flags);
  if (command.kind === 'config-test')
    return (await import('./cli/check-command.ts')).runConfigTest(command.flags);
  (await import('./cli/compile-cache.ts')).useCompileCache();
  const { configFile, foreground, daemonChild } = command.flags;
  // Without a configuration a person is at the keyboard: the server stays where its first lines are read.
  if (configFile !== null && !foreground && !daemonChild)
    return (await import('./cli/daemonize.ts')).startDaemon(command.flags, process.argv.slice(2));
  return (await import('./cli/run-server.ts')).runServer(command.flags);
}

function answer(text: string): number {
  process.stdout.write(text);
  return 0;
}

process.exitCode = (await main(parseCommandLine(process.argv.slice(2)))) ?? undefined;
