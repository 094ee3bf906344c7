/** What reading a configuration brings to light, and whether the first error ends the reading. */
import { ConfigError } from './config-error.ts';
import type { SourceLocation } from './server-config.ts';

/** One line of `lockgate check`. */
export interface Finding {
  /**
   * error: the configuration is wrong; refused: right, but this server refuses it; no-effect: accepted without an
   * effect here; warning: works, but probably not as meant.
   */
  readonly kind: 'error' | 'refused' | 'no-effect' | 'warning';
  readonly directive: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly because: string;
  /** For an error, what was probably meant. */
  readonly hint?: string;
}

/** An error as a finding. */
export function findingOf(error: ConfigError): Finding {
  const { directive, location, message, hint } = error;
  return {
    kind: 'error',
    directive,
    file: location?.file ?? null,
    line: location?.line ?? null,
    because: message,
    ...(hint === null ? {} : { hint }),
  };
}

/** More findings than this are counted no further: the file is not a configuration. */
const MAX_FINDINGS = 10_000;

/** Collects findings, warnings and notices. With `collect` an error becomes a finding instead of being thrown. */
export class Diagnostics {
  readonly findings: Finding[] = [];
  /** Lines for the log at level WARN. */
  readonly warnings: string[] = [];
  /** Lines for the log at level INFO. */
  readonly notices: string[] = [];
  readonly #onError: 'throw' | 'collect';

  constructor(onError: 'throw' | 'collect' = 'throw') {
    this.#onError = onError;
  }

  get failed(): boolean {
    return this.findings.some((finding) => finding.kind === 'error' || finding.kind === 'refused');
  }

  /** An error: thrown at once, or kept as a finding. */
  fail(error: ConfigError, kind: 'error' | 'refused' = 'error'): void {
    if (this.#onError === 'throw' || this.findings.length >= MAX_FINDINGS) throw error;
    const finding = this.#finding(kind, error.directive, error.location, error.message);
    this.findings.push(error.hint === null ? finding : { ...finding, hint: error.hint });
  }

  /** Runs a step that may throw ConfigError; `undefined` when it failed and errors are collected. */
  attempt<T>(step: () => T, directive?: string, location?: SourceLocation): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.fail(placed(error, directive, location));
      return undefined;
    }
  }

  noEffect(directive: string, location: SourceLocation, because: string): void {
    this.#push(this.#finding('no-effect', directive, location, because));
  }

  /** A warning about one directive, or about the whole configuration when there is no place to name. */
  warn(because: string, directive: string | null = null, location: SourceLocation | null = null): void {
    this.#push(this.#finding('warning', directive, location, because));
    const subject = directive === null ? '' : `${directive}: `;
    const place = location === null ? '' : ` on line ${location.line} of '${location.file}'`;
    if (this.warnings.length < MAX_FINDINGS) this.warnings.push(`warning: ${subject}${because}${place}`);
  }

  notice(text: string): void {
    this.notices.push(text);
  }

  #push(finding: Finding): void {
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
  }

  #finding(
    kind: Finding['kind'],
    directive: string | null,
    location: SourceLocation | null,
    because: string,
  ): Finding {
    return { kind, directive, file: location?.file ?? null, line: location?.line ?? null, because };
  }
}

/**
 * The same error with directive and place filled in (parsers of parameters know only the reason). An error that
 * has its place is complete as it is.
 */
export function placed(error: ConfigError, directive?: string, location?: SourceLocation): ConfigError {
  if (error.location !== null) return error;
  const subject = error.directive ?? directive;
  return new ConfigError(error.message, {
    ...(subject === undefined ? {} : { directive: subject }),
    ...(location === undefined ? {} : { location }),
    ...(error.hint === null ? {} : { hint: error.hint }),
    cause: error,
  });
}
