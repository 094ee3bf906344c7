/** `lockgate user add|passwd|list|remove|key|totp`: the embedded user store from the command line. */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { hashPassword } from '../../crypto/password-hash.ts';
import { isStoreName, USER_STORE_FILE, UserStoreError } from '../auth/user-store.ts';
import { Secret } from '../log/secret.ts';
import { PromptError, readNewPassword } from '../util/prompt.ts';
import { STATE_FILES } from './state-folder.ts';
import { runKeyCommand } from './user-key-command.ts';
import {
  EXIT,
  requireStore,
  requireUser,
  UsageError,
  userStorePath,
  withStore,
} from './user-store-access.ts';
import type { UserCommandIo } from './user-store-access.ts';
import { runTotpCommand } from './user-totp-command.ts';

const USAGE = `Usage: lockgate user add NAME [--home DIR] [--uid N] [--gid N] [--groups a,b] [--shell PATH]
       lockgate user passwd NAME
       lockgate user list
       lockgate user remove NAME
       lockgate user key add NAME [FILE]          public keys, OpenSSH or RFC 4716; standard input without FILE
       lockgate user key list NAME
       lockgate user key remove NAME FINGERPRINT
       lockgate user totp NAME on|off             one-time codes beside the password
  --state DIR   state folder (default: LOCKGATE_STATE, else ~/.local/state/lockgate)
  --store FILE  user store, instead of the state folder's ${USER_STORE_FILE}
The password is asked for on the terminal, or read as one line from standard input; it is never an argument.
Groups serve AllowGroup, DefaultRoot and the like; a group the system knows also gives its rights where the server
runs as root.
`;

const OPTIONS = ['home', 'uid', 'gid', 'groups', 'shell', 'state', 'store'] as const;
type OptionName = (typeof OPTIONS)[number];

interface ParsedArguments {
  readonly action: string;
  readonly name: string | null;
  readonly options: ReadonlyMap<OptionName, string>;
}

/** nobody's id: for users added by root, whose own id must not become the default. */
const NOBODY = 65_534;
const DEFAULT_SHELL = '/bin/false';
const MAX_ID = 4_294_967_294;

/**
 * @param argv the words behind `lockgate user`
 * @returns the exit code; everything to say has been written to `io`
 */
export async function runUserCommand(argv: readonly string[], io: UserCommandIo): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.output.write(USAGE);
    return EXIT.done;
  }
  try {
    const [action, ...rest] = argv;
    if (action === 'key') return await runKeyCommand(rest, io);
    if (action === 'totp') return runTotpCommand(rest, io);
    const parsed = parseArguments(argv);
    if (typeof parsed === 'string') throw new UsageError(parsed);
    return await runAction(parsed, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.error.write(`lockgate user: ${error.message}\n${USAGE}`);
      return EXIT.usage;
    }
    if (error instanceof UserStoreError || error instanceof PromptError) {
      io.error.write(`lockgate user: ${error.message}\n`);
      return EXIT.refused;
    }
    throw error;
  }
}

function parseArguments(argv: readonly string[]): ParsedArguments | string {
  const [action, ...rest] = argv;
  if (action === undefined) return 'what is to be done?';
  if (!['add', 'passwd', 'list', 'remove'].includes(action)) return `unknown action '${action}'`;
  const options = new Map<OptionName, string>();
  const names: string[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const argument = rest[at] ?? '';
    if (!argument.startsWith('-')) {
      names.push(argument);
      continue;
    }
    const [flag = '', ...inline] = argument.split('=');
    if (isPasswordOption(flag)) return PASSWORD_ARGUMENT;
    const name = OPTIONS.find((option) => flag === `--${option}`);
    if (name === undefined) return `unknown option '${flag}'`;
    const value = inline.length > 0 ? inline.join('=') : rest[(at += 1)];
    if (value === undefined || value === '') return `option '${flag}' requires a value`;
    options.set(name, value);
  }
  // Never quoted: the second word may well be a password.
  if (names.length > 1 && action !== 'list') return PASSWORD_ARGUMENT;
  if (action === 'list') return names.length > 0 ? 'list takes no name' : { action, name: null, options };
  const name = names[0];
  if (name === undefined) return `${action} needs a user name`;
  if (!isStoreName(name)) {
    return 'invalid user name: letters, digits and _ . @ + - are allowed (at most 128), not starting with . or -';
  }
  return { action, name, options };
}

const PASSWORD_ARGUMENT =
  'a password is never an argument (other users of the machine could read it); it is asked for, or read from standard input';

function isPasswordOption(flag: string): boolean {
  return /^--?(p|pw|pwd|pass|passwd|password|secret)$/i.test(flag) || /^-p./.test(flag);
}

async function runAction(parsed: ParsedArguments, io: UserCommandIo): Promise<number> {
  const { action, name, options } = parsed;
  const path = userStorePath(options, io.env);
  if (action === 'add' && name !== null) return addUser(name, options, path, io);
  if (action !== 'add') requireStore(path);
  if (action === 'passwd' && name !== null) return changePassword(name, path, io);
  if (action === 'remove' && name !== null) {
    return withStore(path, (store) => {
      store.remove(name);
      io.output.write(`removed user '${name}'; the home directory stays\n`);
      return EXIT.done;
    });
  }
  return withStore(path, (store) => {
    for (const user of store.list()) {
      const state = user.enabled ? '' : ' (disabled)';
      const groups = user.groups.length === 0 ? '' : ` groups ${user.groups.join(',')}`;
      io.output.write(`${user.name} uid ${user.uid} gid ${user.gid}${groups} home ${user.home}${state}\n`);
    }
    return EXIT.done;
  });
}

interface AccountOptions {
  /** Null: not given. */
  readonly uid: number | null;
  readonly gid: number | null;
  readonly groups: readonly string[];
  readonly home: string | null;
  readonly shell: string;
}

/** The options of `add`; a text is what is wrong with them. */
function readAccountOptions(options: ParsedArguments['options']): AccountOptions | string {
  const uid = parseId(options.get('uid'));
  const gid = parseId(options.get('gid'));
  const groups = (options.get('groups') ?? '').split(',').filter((group) => group !== '');
  const home = options.get('home') ?? null;
  const shell = options.get('shell') ?? DEFAULT_SHELL;
  if (options.has('uid') && uid === null) return '--uid takes a number';
  if (options.has('gid') && gid === null) return '--gid takes a number';
  if (!groups.every(isStoreName)) return '--groups takes names separated by commas';
  if (home !== null && !isAbsolute(home)) return '--home takes an absolute path';
  if (!isAbsolute(shell)) return '--shell takes an absolute path';
  return { uid, gid, groups, home, shell };
}

async function addUser(
  name: string,
  options: ParsedArguments['options'],
  path: string,
  io: UserCommandIo,
): Promise<number> {
  const given = readAccountOptions(options);
  if (typeof given === 'string') {
    io.error.write(`lockgate user: ${given}\n`);
    return EXIT.usage;
  }
  createStateFolder(dirname(path));
  const owner = withStore(path, (store) => {
    // Found out before the password is asked for.
    if (store.find(name) !== null) throw new UserStoreError('exists', `user '${name}' exists already`);
    return store.list()[0] ?? defaultOwner(dirname(path));
  });
  const { groups, shell } = given;
  const uid = given.uid ?? owner.uid;
  const gid = given.gid ?? owner.gid;
  const home = given.home ?? join(dirname(path), STATE_FILES.home, name);
  const hash = await askForHash(name, io);
  makeHome(home, uid, gid, dirname(path));
  withStore(path, (store) => store.add({ name, hash, uid, gid, groups, home, shell }));
  io.output.write(`added user '${name}' with home ${home}\n`);
  if (uid === 0) {
    io.error.write(
      `lockgate user: '${name}' acts as root (uid 0) and needs RootLogin on; --uid gives it another id\n`,
    );
  }
  return EXIT.done;
}

async function changePassword(name: string, path: string, io: UserCommandIo): Promise<number> {
  withStore(path, (store) => requireUser(store, name));
  const hash = await askForHash(name, io);
  withStore(path, (store) => store.setHash(name, hash));
  io.output.write(`changed the password of '${name}'\n`);
  return EXIT.done;
}

async function askForHash(name: string, io: UserCommandIo): Promise<Secret> {
  // The terminal's questions go where the messages go, so that standard output can be redirected.
  const password = await readNewPassword(io.input, io.error, `Password for ${name}`);
  if (password === '') throw new PromptError('an empty password is refused');
  if (/[\x00-\x1f\x7f]/.test(password)) throw new PromptError('the password holds control characters');
  return new Secret(await hashPassword(password));
}

/**
 * Ids of the first user of a store; later ones get the same. The caller's own; for root those of the state folder's
 * owner, or nobody's: never uid 0.
 */
function defaultOwner(directory: string): { readonly uid: number; readonly gid: number } {
  const uid = process.getuid?.() ?? NOBODY;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? NOBODY };
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (stats === undefined || stats.uid === 0) return { uid: NOBODY, gid: NOBODY };
  return { uid: stats.uid, gid: stats.gid === 0 ? NOBODY : stats.gid };
}

function createStateFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UserStoreError('unusable', `unable to create '${directory}': ${errnoOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * A home that exists is left as it is. Made by root for another user inside the state folder, it must be reachable
 * for that user: the folder lets others through (0711), keys and store keep their own mode 0600.
 */
function makeHome(home: string, uid: number, gid: number, stateFolder: string): void {
  if (statSync(home, { throwIfNoEntry: false }) !== undefined) return;
  const forAnother = process.getuid?.() === 0 && uid !== 0;
  try {
    mkdirSync(dirname(home), { recursive: true, mode: 0o711 });
    mkdirSync(home, { mode: 0o700 });
    if (process.getuid?.() === 0) chownSync(home, uid, gid);
    if (forAnother && home === join(stateFolder, STATE_FILES.home, basename(home))) {
      for (const directory of [stateFolder, dirname(home)]) chmodSync(directory, 0o711);
    }
  } catch (error) {
    throw new UserStoreError('unusable', `unable to create home '${home}': ${errnoOf(error)}`, {
      cause: error,
    });
  }
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}

function parseId(text: string | undefined): number | null {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}
