/** Public keys and one-time code secrets in the embedded user store, besides the passwords. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { Secret } from '../log/secret.ts';

/** Leads from version 1 of the store to version 2. */
export const CREDENTIALS_MIGRATION = `
  CREATE TABLE public_keys (
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    blob BLOB NOT NULL,
    entry TEXT NOT NULL,
    added TEXT NOT NULL,
    PRIMARY KEY (user, blob)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE one_time_codes (
    user TEXT NOT NULL PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
    secret TEXT NOT NULL,
    last_step INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;`;

/** The version of the store from which on these tables are there. */
const CREDENTIALS_VERSION = 2;

export interface StoredTotp {
  /** Base32. */
  readonly secret: Secret;
  /** The last time step whose code was used. */
  readonly lastStep: number;
}

export interface StoredCredentials {
  /** Entries as authorized_keys files hold them, one key each, oldest first. */
  publicKeys(name: string): readonly string[];
  /** False where the user has the key already. The user must exist. */
  addPublicKey(name: string, blob: Buffer, entry: string): boolean;
  /** False where the user does not have the key. */
  removePublicKey(name: string, blob: Buffer): boolean;
  totp(name: string): StoredTotp | null;
  /** A new secret forgets the steps used with the old one; null switches one-time codes off. */
  setTotp(name: string, secret: Secret | null): void;
  /** Marks a step as used; false where it, or a later one, was used before. Atomic across processes. */
  useTotpStep(name: string, step: number): boolean;
}

interface Statements {
  readonly keys: StatementSync;
  readonly totp: StatementSync;
}

/** A store of version 1 that is read only is as good as one without keys and codes. */
export function createStoredCredentials(database: DatabaseSync): StoredCredentials {
  const selectVersion = database.prepare('PRAGMA user_version');
  let statements: Statements | null = null;

  /** Another process may bring the store to the new version while this connection is open. */
  function prepared(): Statements | null {
    if (statements !== null) return statements;
    if (Number(selectVersion.get()?.['user_version'] ?? 0) < CREDENTIALS_VERSION) return null;
    statements = {
      keys: database.prepare('SELECT entry FROM public_keys WHERE user = ? ORDER BY added, blob'),
      totp: database.prepare('SELECT secret, last_step FROM one_time_codes WHERE user = ?'),
    };
    return statements;
  }

  return {
    publicKeys: (name) =>
      prepared()
        ?.keys.all(name)
        .map((row) => text(row['entry'])) ?? [],
    addPublicKey(name, blob, entry) {
      const insert = database.prepare(
        'INSERT OR IGNORE INTO public_keys (user, blob, entry, added) VALUES (?, ?, ?, ?)',
      );
      return changed(insert.run(name, blob, entry, new Date().toISOString()));
    },
    removePublicKey(name, blob) {
      return changed(database.prepare('DELETE FROM public_keys WHERE user = ? AND blob = ?').run(name, blob));
    },
    totp(name) {
      const row = prepared()?.totp.get(name);
      if (row === undefined) return null;
      return { secret: new Secret(text(row['secret'])), lastStep: Number(row['last_step']) };
    },
    setTotp(name, secret) {
      database.prepare('DELETE FROM one_time_codes WHERE user = ?').run(name);
      if (secret === null) return;
      database.prepare('INSERT INTO one_time_codes (user, secret) VALUES (?, ?)').run(name, secret.reveal());
    },
    useTotpStep(name, step) {
      const update = database.prepare(
        'UPDATE one_time_codes SET last_step = ? WHERE user = ? AND last_step < ?',
      );
      return changed(update.run(step, name, step));
    },
  };
}

function changed(result: { readonly changes: number | bigint }): boolean {
  return Number(result.changes) > 0;
}

function text(value: SQLOutputValue | undefined): string {
  // The tables are STRICT, so anything else means that the file is damaged.
  if (typeof value !== 'string') throw new Error('the user store is damaged');
  return value;
}
