/**
 * What each operation may do under each rule, once for all protocols: every row names an operation, a rule, the answer,
 * and what must be on disk afterwards. A protocol runs it by giving an `AccessDriver`.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import type { LimitSection } from '../../src/config/server-config.ts';
import { allowAll, denyAll, emptyLimit } from './vfs-fixture.ts';

export type AccessOutcome = 'allowed' | 'denied';

/**
 * One attempt each; throws AccessDenied where a rule refused it, anything else where it failed otherwise. A protocol
 * leaves out what it has no request for.
 */
export interface AccessDriver {
  download?(path: string): Promise<void>;
  upload?(path: string, content: string): Promise<void>;
  append?(path: string, content: string): Promise<void>;
  list?(path: string): Promise<void>;
  changeDirectory?(path: string): Promise<void>;
  size?(path: string): Promise<void>;
  makeDirectory?(path: string): Promise<void>;
  removeDirectory?(path: string): Promise<void>;
  removeFile?(path: string): Promise<void>;
  rename?(from: string, to: string): Promise<void>;
  changeMode?(path: string, mode: number): Promise<void>;
  setModifyTime?(path: string, time: Date): Promise<void>;
  makeSymbolicLink?(target: string, path: string): Promise<void>;
}

/** The operation was refused for want of permission. */
export class AccessDenied extends Error {}

/** The names `<Limit>` knows an operation by in one protocol, where they are not the operation's own verb. */
export type AccessNames = Readonly<Record<string, readonly string[]>>;

export interface AccessOperation {
  /** Its name in FTP. */
  readonly verb: string;
  /** Undefined where the protocol has no such request. */
  run(driver: AccessDriver): Promise<void> | undefined;
  /** True when the disk under `root` shows that it happened; null: reading leaves no trace. */
  readonly happened: ((root: string) => boolean) | null;
}

/** The tree every row starts from: `/zone/file` (content `old`), `/zone/empty/`, and nothing else in `/zone`. */
export function prepareAccessTree(root: string): void {
  fs.rmSync(join(root, 'zone'), { recursive: true, force: true });
  fs.mkdirSync(join(root, 'zone/empty'), { recursive: true });
  fs.chmodSync(join(root, 'zone'), 0o777);
  fs.writeFileSync(join(root, 'zone/file'), 'old');
  fs.chmodSync(join(root, 'zone/file'), 0o644);
  fs.utimesSync(join(root, 'zone/file'), 1000, 1000);
  // The session may be another user's.
  const { uid, gid } = fs.statSync(root);
  for (const name of ['zone', 'zone/empty', 'zone/file']) fs.chownSync(join(root, name), uid, gid);
}

const content = (root: string, path: string): string | null => {
  const file = join(root, path);
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
};

export const accessOperations: readonly AccessOperation[] = [
  { verb: 'RETR', run: (driver) => driver.download?.('/zone/file'), happened: null },
  { verb: 'SIZE', run: (driver) => driver.size?.('/zone/file'), happened: null },
  { verb: 'LIST', run: (driver) => driver.list?.('/zone'), happened: null },
  { verb: 'CWD', run: (driver) => driver.changeDirectory?.('/zone'), happened: null },
  {
    verb: 'STOR',
    run: (driver) => driver.upload?.('/zone/file', 'new'),
    happened: (root) => content(root, 'zone/file') === 'new',
  },
  {
    verb: 'APPE',
    run: (driver) => driver.append?.('/zone/file', '+'),
    happened: (root) => content(root, 'zone/file') === 'old+',
  },
  {
    verb: 'MKD',
    run: (driver) => driver.makeDirectory?.('/zone/made'),
    happened: (root) => fs.existsSync(join(root, 'zone/made')),
  },
  {
    verb: 'RMD',
    run: (driver) => driver.removeDirectory?.('/zone/empty'),
    happened: (root) => !fs.existsSync(join(root, 'zone/empty')),
  },
  {
    verb: 'DELE',
    run: (driver) => driver.removeFile?.('/zone/file'),
    happened: (root) => !fs.existsSync(join(root, 'zone/file')),
  },
  {
    verb: 'RNTO',
    run: (driver) => driver.rename?.('/zone/file', '/zone/moved'),
    happened: (root) => content(root, 'zone/moved') === 'old' && !fs.existsSync(join(root, 'zone/file')),
  },
  {
    verb: 'SITE_CHMOD',
    run: (driver) => driver.changeMode?.('/zone/file', 0o600),
    happened: (root) => (fs.statSync(join(root, 'zone/file')).mode & 0o777) === 0o600,
  },
  {
    verb: 'MFMT',
    run: (driver) => driver.setModifyTime?.('/zone/file', new Date(86_400_000)),
    happened: (root) => fs.statSync(join(root, 'zone/file')).mtimeMs === 86_400_000,
  },
  {
    verb: 'SYMLINK',
    run: (driver) => driver.makeSymbolicLink?.('file', '/zone/link'),
    happened: (root) =>
      fs.lstatSync(join(root, 'zone/link'), { throwIfNoEntry: false })?.isSymbolicLink() === true,
  },
];

export interface AccessRule {
  readonly name: string;
  /** Sections of the server level. */
  readonly limits: readonly LimitSection[];
  /** Sections of `<Directory /zone>`. */
  readonly zone: readonly LimitSection[];
  /** Verbs it denies; all others are allowed. */
  readonly denies: readonly string[];
}

const writing = [
  'STOR',
  'APPE',
  'MKD',
  'RMD',
  'DELE',
  'RNFR',
  'RNTO',
  'MFMT',
  'SITE_CHMOD',
  'SETSTAT',
  'SYMLINK',
];
const reading = ['RETR', 'SIZE'];
const browsing = ['LIST', 'NLST', 'MLSD', 'CWD', 'STAT'];
/** In no group but ALL. */
const apart = ['LSTAT', 'FSTAT', 'READLINK'];
const every = [...writing, ...reading, ...browsing, ...apart];

const user = (name: string) => ({ mode: 'or', terms: [{ name, negate: false }] }) as const;

/** The session is user `alice` of group `staff`, from 127.0.0.1. */
export const accessRules: readonly AccessRule[] = [
  { name: 'no rule', limits: [], zone: [], denies: [] },
  { name: 'WRITE denied', limits: [denyAll('WRITE')], zone: [], denies: writing },
  { name: 'READ denied', limits: [denyAll('READ')], zone: [], denies: reading },
  { name: 'DIRS denied', limits: [denyAll('DIRS')], zone: [], denies: browsing },
  { name: 'ALL denied', limits: [denyAll('ALL')], zone: [], denies: every },
  { name: 'WRITE denied in the directory', limits: [], zone: [denyAll('WRITE')], denies: writing },
  { name: 'denied outside, allowed inside', limits: [denyAll('ALL')], zone: [allowAll('ALL')], denies: [] },
  {
    name: 'allowed outside, denied inside',
    limits: [allowAll('ALL')],
    zone: [denyAll('STOR', 'DELE')],
    denies: ['STOR', 'DELE'],
  },
  {
    name: 'a command before its group, the group before ALL',
    limits: [denyAll('ALL'), allowAll('READ'), denyAll('SIZE')],
    zone: [],
    denies: every.filter((verb) => verb !== 'RETR'),
  },
  {
    name: 'another user only',
    limits: [{ ...emptyLimit(['WRITE']), order: 'deny,allow', allowUser: [user('bob')] }],
    zone: [],
    denies: writing,
  },
  {
    name: 'this user only',
    limits: [{ ...emptyLimit(['WRITE']), order: 'deny,allow', allowUser: [user('alice')] }],
    zone: [],
    denies: [],
  },
  ...every.map((verb) => ({ name: `${verb} denied`, limits: [denyAll(verb)], zone: [], denies: [verb] })),
];

export function expectedOutcome(
  rule: AccessRule,
  operation: AccessOperation,
  names: AccessNames = {},
): AccessOutcome {
  const asked = names[operation.verb] ?? [operation.verb];
  return asked.some((name) => rule.denies.includes(name)) ? 'denied' : 'allowed';
}

/** Runs every operation under one rule; looks at the answer, and at the disk under `root` both times. */
export async function runAccessTable(
  rule: AccessRule,
  root: string,
  driver: AccessDriver,
  names: AccessNames = {},
): Promise<void> {
  for (const operation of accessOperations) {
    prepareAccessTree(root);
    const attempt = operation.run(driver);
    if (attempt === undefined) continue;
    const outcome = await attempt.then(
      () => 'allowed',
      (error: unknown) => {
        if (error instanceof AccessDenied) return 'denied';
        throw error;
      },
    );
    assert.equal(outcome, expectedOutcome(rule, operation, names), operation.verb);
    if (operation.happened !== null)
      assert.equal(operation.happened(root), outcome === 'allowed', `${operation.verb} on disk`);
  }
}
