/**
 * One row per directive: everything the server knows about a directive stands here, and the parser, the
 * merge, `-l`, `lockgate check` and docs/directives.md are made from it.
 */
import type { SourceLocation, Settings } from './server-config.ts';

/** S server config, V <VirtualHost>, G <Global>, A <Anonymous>, D <Directory>, L <Limit>, C <Class>, f .ftpaccess. */
export type Context = 'S' | 'V' | 'G' | 'A' | 'D' | 'L' | 'C' | 'f';

/** What a parser of directive parameters may look at. It throws ConfigError (reason only; the caller adds the place). */
export interface ParseInput {
  readonly name: string;
  readonly args: readonly string[];
  readonly location: SourceLocation;
  readonly context: Context;
}

/**
 * replace: the most specific value wins.
 * append:  values accumulate, most specific section first, then file order.
 * keyed:   like append, but a later value with the same key replaces the earlier one.
 */
export type MergeRule = 'replace' | 'append';

interface RowBase {
  readonly name: string;
  /** Former or alternative spellings, matched without regard to case like the name itself. */
  readonly aliases?: readonly string[];
  /** For example `AllowOverwrite on|off`. */
  readonly syntax: string;
  /** As printed in the documentation. */
  readonly defaultText: string;
  readonly contexts: readonly Context[];
  /** mod_core, mod_auth, mod_tls ... without `.c`. */
  readonly module: string;
}

/** A directive that does something. `parse` returns the value of `key`; with `append` a list that is concatenated. */
export interface WorkingRow<K extends keyof Settings = keyof Settings> extends RowBase {
  readonly status: 'works';
  readonly key: K;
  readonly merge: MergeRule;
  readonly parse: (input: ParseInput) => Settings[K];
  /** Something the operator should read although the value is accepted; null when there is nothing to say. */
  readonly warn?: (input: ParseInput) => string | null;
  /** One sentence for docs/directives.md. */
  readonly summary: string;
}

/** Several settings from one directive (TLSCipherSuite), or one that the builder handles itself (Port, Order, From). */
export interface BuilderRow extends RowBase {
  readonly status: 'builder';
  readonly parse: (input: ParseInput) => Partial<Settings>;
  /** As in WorkingRow. */
  readonly warn?: (input: ParseInput) => string | null;
  readonly summary: string;
}

/** Accepted, because ignoring it cannot weaken anybody's security; `because` says why it has no effect here. */
export interface NoEffectRow extends RowBase {
  readonly status: 'no-effect';
  /** Throws ConfigError for parameters ProFTPD would not accept either. */
  readonly check?: (input: ParseInput) => void;
  readonly because: string;
}

/** Known and refused at startup; `because` says why and what to use instead. */
export interface RefusedRow extends RowBase {
  readonly status: 'refused';
  /** For values that ask for nothing (`QuotaEngine off`): why they are accepted without effect; null refuses. */
  readonly acceptsWhen?: (input: ParseInput) => string | null;
  readonly because: string;
}

export type DirectiveRow = WorkingRow | BuilderRow | NoEffectRow | RefusedRow;

/** Defines a working row with its key and value type checked against each other. */
export function works<K extends keyof Settings>(row: Omit<WorkingRow<K>, 'status'>): DirectiveRow {
  return { status: 'works', ...row } as unknown as DirectiveRow;
}
