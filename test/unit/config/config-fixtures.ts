/** A small directive table and an in-memory file tree, so that grammar and model are tested on their own. */
import { ConfigError } from '../../../src/config/config-error.ts';
import type { ConfigSource, EntryKind } from '../../../src/config/config-source.ts';
import type { DirectiveRegistry } from '../../../src/config/directive-registry.ts';
import {
  works,
  type Context,
  type DirectiveRow,
  type ParseInput,
} from '../../../src/config/directive-row.ts';
import { checkConfig, loadConfig, type LoadOptions } from '../../../src/config/load-config.ts';
import { DEFAULT_SETTINGS } from '../../../src/config/registry.ts';
import type { PartialSettings, Settings } from '../../../src/config/server-config.ts';
import type { Principal } from '../../../src/config/effective-config.ts';

function contexts(text: string): readonly Context[] {
  return text.split('') as Context[];
}

function one(input: ParseInput): string {
  const [word] = input.args;
  if (word === undefined) throw new ConfigError('missing parameters');
  return word;
}

function bool(input: ParseInput): boolean {
  const word = one(input).toLowerCase();
  if (word !== 'on' && word !== 'off') throw new ConfigError('expected Boolean parameter');
  return word === 'on';
}

type Reader<K extends keyof Settings> = (input: ParseInput) => Settings[K];

function row<K extends keyof Settings>(
  name: string,
  key: K,
  where: string,
  parse: Reader<K>,
  merge: 'replace' | 'append' = 'replace',
): DirectiveRow {
  const text = { syntax: name, defaultText: '', module: 'mod_core', summary: name };
  return works<K>({ name, key, merge, parse, contexts: contexts(where), ...text });
}

function inLimit(name: string, where = 'L'): DirectiveRow {
  const text = { syntax: name, defaultText: '', module: 'mod_core', summary: name };
  return { status: 'builder', name, contexts: contexts(where), parse: () => ({}), ...text };
}

const LIMIT_ROWS = [
  'Order',
  'Allow',
  'Deny',
  'AllowUser',
  'DenyUser',
  'AllowGroup',
  'DenyGroup',
  'IgnoreHidden',
];

const ROWS: readonly DirectiveRow[] = [
  row('ServerName', 'serverName', 'SV', one),
  row('Port', 'port', 'SVG', (input) => Number(one(input))),
  row('DefaultAddress', 'defaultAddress', 'S', (input) => input.args),
  row('ServerAlias', 'serverAlias', 'SVG', (input) => input.args, 'append'),
  row('DefaultServer', 'defaultServer', 'SV', bool),
  row('SocketBindTight', 'socketBindTight', 'S', bool),
  row('UseIPv6', 'useIPv6', 'S', bool),
  row('MasqueradeAddress', 'masqueradeAddress', 'SVG', one),
  row('PassivePorts', 'passivePorts', 'SVG', ({ args }) => ({ min: Number(args[0]), max: Number(args[1]) })),
  row('User', 'user', 'SVGA', one),
  row('TimeoutIdle', 'timeoutIdle', 'SVGA', (input) => Number(one(input))),
  row('MaxInstances', 'maxInstances', 'S', (input) => Number(one(input))),
  row('AllowOverwrite', 'allowOverwrite', 'SVGADf', bool),
  row('RequireValidShell', 'requireValidShell', 'SVGA', bool),
  row('HideUser', 'hideUser', 'ADf', (input) => [one(input)], 'append'),
  row(
    'UserAlias',
    'userAlias',
    'SVGA',
    ({ args }) => [{ alias: args[0] ?? '', user: args[1] ?? '' }],
    'append',
  ),
  row('TLSEngine', 'tlsEngine', 'SVG', bool),
  row('TLSOptions', 'tlsOptions', 'SVG', ({ args }) => args as Settings['tlsOptions'], 'append'),
  row('TLSRequired', 'tlsRequired', 'SVGADf', (input) => ({
    control: one(input) === 'on',
    data: one(input) === 'on' ? 'required' : 'optional',
    auth: one(input) !== 'off',
  })),
  row('PathDenyFilter', 'pathDenyFilter', 'SVGADf', (input) => ({
    pattern: new RegExp(one(input)),
    negate: false,
  })),
  ...LIMIT_ROWS.map((name) => inLimit(name)),
  inLimit('AllowAll', 'LADf'),
  inLimit('DenyAll', 'LADf'),
  inLimit('From', 'C'),
  inLimit('Satisfy', 'C'),
  inLimit('LogFormat', 'SG'),
  inLimit('SetEnv', 'S'),
  {
    ...{ status: 'no-effect', name: 'UseLastlog', contexts: contexts('SVG'), syntax: '', defaultText: '' },
    ...{ module: 'mod_auth', because: 'there is no lastlog here' },
  } as DirectiveRow,
  {
    ...{ status: 'refused', name: 'SQLConnectInfo', contexts: contexts('SVG'), syntax: '', defaultText: '' },
    ...{ module: 'mod_sql', because: 'there is no SQL here' },
  } as DirectiveRow,
];

const byName = new Map(ROWS.map((entry) => [entry.name.toLowerCase(), entry]));
const rules = new Map(ROWS.flatMap((entry) => (entry.status === 'works' ? [[entry.key, entry.merge]] : [])));

/** The table of these tests. */
export const TEST_REGISTRY: DirectiveRegistry = {
  find: (name) => byName.get(name.toLowerCase()),
  judge(entry, input) {
    if (entry.status === 'works') {
      return { kind: 'value', settings: { [entry.key]: entry.parse(input) } as PartialSettings };
    }
    if (entry.status === 'builder') return { kind: 'value', settings: entry.parse(input) };
    return { kind: entry.status, because: entry.because };
  },
  suggest: (name) => (name.toLowerCase() === 'timeoutidel' ? 'TimeoutIdle' : null),
  isModuleAvailable: (name) => ['mod_tls', 'mod_core', 'mod_dso'].includes(name.replace(/\.c$/, '')),
  defaults: DEFAULT_SETTINGS,
  mergeRule: (key) => (rules.get(key) as 'replace' | 'append' | undefined) ?? 'replace',
};

/** Files by absolute path; a value `-> /path` is a symbolic link. */
export function memorySource(files: Readonly<Record<string, string>>): ConfigSource {
  const follow = (path: string): string => {
    const text = files[path];
    return text?.startsWith('-> ') === true ? text.slice(3) : path;
  };
  const isDirectory = (path: string): boolean =>
    Object.keys(files).some((name) => name.startsWith(path.endsWith('/') ? path : `${path}/`));
  return {
    readFile(path) {
      const text = files[follow(path)];
      if (text === undefined) throw new Error('No such file or directory');
      return text;
    },
    listDirectory(path) {
      if (!isDirectory(path)) return null;
      const prefix = path.endsWith('/') ? path : `${path}/`;
      const inside = Object.keys(files).filter((name) => name.startsWith(prefix));
      const names = new Set(inside.map((name) => name.slice(prefix.length).split('/')[0] ?? ''));
      return [...names].map((name) => ({ name, kind: entryKind(prefix + name) }));
    },
    kindOf: (path) => (files[follow(path)] !== undefined ? 'file' : isDirectory(path) ? 'directory' : null),
  };
  function entryKind(path: string): EntryKind {
    if (files[path] === undefined) return 'directory';
    return files[path].startsWith('-> ') ? 'symlink' : 'file';
  }
}

/** Load options for a text, with nothing of this machine in them. */
export function options(text: string, extra: Partial<LoadOptions> = {}): LoadOptions {
  return {
    file: '/etc/proftpd.conf',
    text,
    version: 1,
    environment: {},
    source: memorySource({}),
    registry: TEST_REGISTRY,
    homeOf: (user) => (user === 'ftp' ? '/srv/ftp' : null),
    resolver: {
      lookup: (name) => Promise.resolve(name === 'ftp.example.org' ? ['192.0.2.10', '2001:db8::10'] : []),
      device: (name) => (name === 'eth0' ? ['198.51.100.7'] : []),
    },
    ...extra,
  };
}

/** Loads a text with the test table. */
export function load(text: string, extra: Partial<LoadOptions> = {}): ReturnType<typeof loadConfig> {
  return loadConfig(options(text, extra));
}

/** Checks a text with the test table. */
export function check(text: string, extra: Partial<LoadOptions> = {}): ReturnType<typeof checkConfig> {
  return checkConfig(options(text, extra));
}

/** The operator's line for the error a text must cause. */
export async function refusal(text: string, extra: Partial<LoadOptions> = {}): Promise<string> {
  try {
    await load(text, extra);
  } catch (error) {
    if (error instanceof ConfigError) return error.toString();
    throw error;
  }
  return 'accepted';
}

/** Somebody logged in from 192.0.2.1, unless told otherwise. */
export function principal(changes: Partial<Principal> = {}): Principal {
  const base = { address: '192.0.2.1', hostName: 'client.example.org', className: null };
  return { ...base, user: 'bob', groups: ['users'], authenticated: true, ...changes };
}
