/** What the `lockgate user` commands share: their streams, exit codes, and the way to the store. */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { isStoreName, openUserStore, UserStoreError } from '../auth/user-store.ts';
import type { UserStore } from '../auth/user-store.ts';
import type { PromptInput } from '../util/prompt.ts';
import { STATE_FILES, stateFolderOf } from './state-folder.ts';

/** What a command reads and writes; tests give streams of their own. */
export interface UserCommandIo {
  readonly input: PromptInput;
  readonly output: Writable;
  readonly error: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** 0: done; 1: the store or the password said no; 2: the command line is wrong. */
export const EXIT = { done: 0, refused: 1, usage: 2 } as const;

/** The command line is wrong; the message is for the operator. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Where the store is: `--store`, else in the state folder. */
export function userStorePath(options: ReadonlyMap<string, string>, env: UserCommandIo['env']): string {
  const store = options.get('store');
  if (store !== undefined) return resolve(store);
  return join(stateFolderOf(options.get('state') ?? null, env), STATE_FILES.users);
}

export function withStore<T>(path: string, work: (store: UserStore) => T): T {
  const store = openUserStore(path);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

/** Throws UserStoreError where there is no store yet. */
export function requireStore(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new UserStoreError('unusable', `there is no user store '${path}'`);
  }
}

export function requireUser(store: UserStore, name: string): void {
  if (store.find(name) === null) throw new UserStoreError('not-found', `no user '${name}' in the store`);
}

/** Throws UsageError for what cannot be a name. */
export function requireName(name: string | undefined): string {
  if (name === undefined) throw new UsageError('a user name is needed');
  if (isStoreName(name)) return name;
  throw new UsageError(
    'invalid user name: letters, digits and _ . @ + - are allowed (at most 128), not starting with . or -',
  );
}

/** Words and the options `--state` and `--store`. Throws UsageError for any other option. */
export function parseStoreArguments(argv: readonly string[]): {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
} {
  const words: string[] = [];
  const options = new Map<string, string>();
  for (let at = 0; at < argv.length; at += 1) {
    const argument = argv[at] ?? '';
    if (!argument.startsWith('--')) {
      words.push(argument);
      continue;
    }
    const [flag = '', ...inline] = argument.split('=');
    const name = flag.slice(2);
    if (name !== 'state' && name !== 'store') throw new UsageError(`unknown option '${flag}'`);
    const value = inline.length > 0 ? inline.join('=') : argv[(at += 1)];
    if (value === undefined || value === '') throw new UsageError(`option '${flag}' requires a value`);
    options.set(name, value);
  }
  return { words, options };
}
