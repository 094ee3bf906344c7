/** SCP on one SSH channel: the exec request's command, run by this server itself. */
import type { ChannelHandler, SshChannel } from '../ssh/ssh-channel.ts';
import { FsError } from '../vfs/fs-error.ts';
import { textForFsError } from '../vfs/fs-error-text.ts';
import { ChannelInput, ScpInputError } from './channel-input.ts';
import { ChannelOutput } from './channel-output.ts';
import { ScpSink } from './scp-sink.ts';
import { ScpSource } from './scp-source.ts';
import { parseScpCommand, type ScpCommand } from './wire/command-line.ts';
import { encodeError, ScpRecordError } from './wire/control-record.ts';

export { isScpCommand } from './wire/command-line.ts';

/** What happens to an error of ours: the session ends, its log has the stack. */
export type FailSession = (error: unknown) => void;

/** Runs `scp ...`; null where `Protocols` or the command line does not allow it (logged). `isScpCommand` knows those. */
export function createScp(channel: SshChannel, command: string, fail: FailSession): ChannelHandler | null {
  const { session } = channel;
  const { protocols } = session.settings;
  if (protocols !== null && !protocols.some((name) => name.toLowerCase() === 'scp')) {
    session.sftpLog("'scp' exec request denied by Protocols config");
    return null;
  }
  const parsed = parseScpCommand(command);
  if (!parsed.ok) {
    session.sftpLog(`unsupported exec command '${command}': ${parsed.reason}`);
    return null;
  }
  const { unknownOptions } = parsed.command;
  if (unknownOptions !== '') session.sftpLog(`scp: ignoring options '${unknownOptions}'`);
  session.context.log.trace('scp', 7, () => `${parsed.command.role} '${parsed.command.path}'`);
  return new ScpHandler(channel, parsed.command, fail);
}

class ScpHandler implements ChannelHandler {
  readonly #channel: SshChannel;
  readonly #input: ChannelInput;
  readonly #output: ChannelOutput;

  constructor(channel: SshChannel, command: ScpCommand, fail: FailSession) {
    this.#channel = channel;
    this.#input = new ChannelInput(channel);
    this.#output = new ChannelOutput(channel);
    // A turn later: the client hears of the request's success before anything else.
    setImmediate(() => {
      this.#run(command).catch((error: unknown) => {
        this.#input.end();
        this.#output.close();
        fail(error);
      });
    });
  }

  data(chunk: Buffer): void {
    this.#input.push(chunk);
  }

  eof(): void {
    this.#input.end();
  }

  writable(): void {
    this.#output.awaken();
  }

  closed(): void {
    this.#input.end();
    this.#output.close();
  }

  async #run(command: ScpCommand): Promise<void> {
    const { session } = this.#channel;
    const work =
      command.role === 'sink'
        ? new ScpSink(session, this.#channel, this.#input, this.#output, command)
        : new ScpSource(session, this.#input, this.#output, command);
    let status = 1;
    try {
      status = await work.run();
    } catch (error) {
      const text = refusalOf(error, command);
      if (text === null) throw error;
      session.sftpLog(`scp: ${text}`);
      await this.#output.write(encodeError('fatal', text));
    }
    if (!this.#output.closed) this.#channel.end(status);
  }
}

/** What the client is told of an error that is its own doing; null: a bug of ours. */
function refusalOf(error: unknown, { path }: ScpCommand): string | null {
  if (error instanceof ScpRecordError || error instanceof ScpInputError) return error.message;
  // The path of the command line itself cannot be one here: it holds a line end.
  return error instanceof FsError ? `${path}: ${textForFsError(error)}` : null;
}
