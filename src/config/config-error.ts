import type { SourceLocation } from './server-config.ts';

/**
 * A configuration the server refuses. `message` is the reason alone; `toString()` is what an operator
 * reads, in ProFTPD's form: `fatal: DIRECTIVE: REASON on line N of 'FILE'`, and a hint on a line of its own.
 */
export class ConfigError extends Error {
  readonly directive: string | null;
  readonly location: SourceLocation | null;
  /** What was probably meant, for example `Did you mean: TimeoutIdle`. */
  readonly hint: string | null;

  constructor(
    message: string,
    options: { directive?: string; location?: SourceLocation; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ConfigError';
    this.directive = options.directive ?? null;
    this.location = options.location ?? null;
    this.hint = options.hint ?? null;
  }

  override toString(): string {
    const subject = this.directive === null ? '' : `${this.directive}: `;
    const place = this.location === null ? '' : ` on line ${this.location.line} of '${this.location.file}'`;
    const hint = this.hint === null ? '' : `\n${this.hint}`;
    return `fatal: ${subject}${this.message}${place}${hint}`;
  }
}
