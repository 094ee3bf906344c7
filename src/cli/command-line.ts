/** The command line of proftpd (proftpd(8)) plus Lockgate's subcommands: arguments in, one plain value out. */

/** What running the server needs from the command line. */
export interface RunFlags {
  /** Null: the zero-configuration state folder's. */
  readonly configFile: string | null;
  readonly stateFolder: string | null;
  readonly foreground: boolean;
  readonly quiet: boolean;
  readonly debugLevel: number;
  readonly defines: readonly string[];
  /** -S: address of the main server. */
  readonly serverAddress: string | null;
  /** -N: virtual hosts that share an address and port are not dropped. */
  readonly noVirtualHostCheck: boolean;
  /** -4 and -6 narrow or force UseIPv6; null: as configured. */
  readonly useIPv6: boolean | null;
  /** Ours, zero configuration only: FTP port; implicit FTPS listens `IMPLICIT_PORT_OFFSET` above it. */
  readonly port: number | null;
  /** FIPS module, or the folder it is in; null: found. */
  readonly fipsModule: string | null;
  /** Set by the daemon's parent: report readiness on descriptor 3. */
  readonly daemonChild: boolean;
}

export type CommandLine =
  | { readonly kind: 'run'; readonly flags: RunFlags }
  | { readonly kind: 'config-test'; readonly flags: RunFlags }
  | { readonly kind: 'check'; readonly flags: RunFlags }
  | { readonly kind: 'version' | 'settings' | 'modules' | 'help' }
  | { readonly kind: 'version-status'; readonly flags: RunFlags }
  | { readonly kind: 'user' | 'fips'; readonly args: readonly string[] }
  | { readonly kind: 'error'; readonly message: string };

interface FlagRow {
  readonly short: string | null;
  readonly long: string;
  /** Name of the value in --help; null: takes none. */
  readonly value: string | null;
  readonly help: string;
}

/** Every flag; --help prints this table. */
export const FLAGS: readonly FlagRow[] = [
  {
    short: 'c',
    long: 'config',
    value: 'FILE',
    help: 'run this configuration (default: the state folder’s own)',
  },
  { short: 'n', long: 'nodaemon', value: null, help: 'stay in the foreground and log to standard error' },
  { short: 'q', long: 'quiet', value: null, help: 'print nothing on standard error' },
  { short: 'd', long: 'debug', value: 'LEVEL', help: 'debug level, 0 to 10' },
  { short: 'D', long: 'define', value: 'NAME', help: 'define NAME for <IfDefine NAME>' },
  { short: 't', long: 'configtest', value: null, help: 'check the syntax of the configuration and stop' },
  { short: 'l', long: 'list', value: null, help: 'list the modules whose directives work' },
  { short: 'v', long: 'version', value: null, help: 'print the version' },
  {
    short: null,
    long: 'version-status',
    value: null,
    help: 'print the version of the server and of each module (also -vv)',
  },
  { short: 'V', long: 'settings', value: null, help: 'print how the server is built' },
  { short: 'S', long: 'serveraddr', value: 'ADDRESS', help: 'address of the main server' },
  { short: 'p', long: 'persistent', value: '0|1', help: 'PersistentPasswd; accepted, has no effect here' },
  { short: 'N', long: 'nocollision', value: null, help: 'keep virtual hosts that share an address and port' },
  { short: '4', long: 'ipv4', value: null, help: 'IPv4 only' },
  { short: '6', long: 'ipv6', value: null, help: 'IPv6 as well' },
  {
    short: null,
    long: 'state',
    value: 'DIR',
    help: 'state folder of a start without -c (also LOCKGATE_STATE)',
  },
  {
    short: null,
    long: 'port',
    value: 'PORT',
    help: 'FTP port of a start without -c; implicit FTPS gets PORT + 869',
  },
  {
    short: null,
    long: 'fips-module',
    value: 'PATH',
    help: 'FIPS module to use with -D TLS_USE_FIPS, -D SFTP_USE_FIPS or LOCKGATE_FIPS=1',
  },
  { short: 'h', long: 'help', value: null, help: 'print this text' },
];

/** Given to the daemon by its parent only. */
export const DAEMON_CHILD_FLAG = '--daemon-child';

interface GivenFlag {
  readonly name: string;
  readonly value: string;
}

/** Reads the arguments behind the program's name. Never throws: a mistake comes back as `error`. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  if (argv[0] === 'user' || argv[0] === 'fips') return { kind: argv[0], args: argv.slice(1) };
  const isCheck = argv[0] === 'check';
  const given = splitFlags(isCheck ? argv.slice(1) : argv);
  if (typeof given === 'string') return { kind: 'error', message: given };

  const names = new Set(given.map((flag) => flag.name));
  if (names.has('help')) return { kind: 'help' };
  const flags = collectFlags(given);
  if (typeof flags === 'string') return { kind: 'error', message: flags };
  if (isCheck) return { kind: 'check', flags };
  const versions = given.filter((flag) => flag.name === 'version').length;
  if (versions > 1 || names.has('version-status')) return { kind: 'version-status', flags };
  if (versions === 1) return { kind: 'version' };
  if (names.has('settings')) return { kind: 'settings' };
  if (names.has('list')) return { kind: 'modules' };
  return { kind: names.has('configtest') ? 'config-test' : 'run', flags };
}

/** `-nd5 -DTLS --config=x` -> one entry per flag; a text is the error. */
function splitFlags(argv: readonly string[]): GivenFlag[] | string {
  const given: GivenFlag[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index]!;
    if (argument === DAEMON_CHILD_FLAG) {
      given.push({ name: 'daemon-child', value: '' });
    } else if (argument.startsWith('--') && argument.length > 2) {
      const [name, inline] = splitOnce(argument.slice(2));
      const row = FLAGS.find((candidate) => candidate.long === name);
      if (row === undefined) return `unknown option '--${name}'`;
      if (row.value === null && inline !== null) return `option '--${name}' takes no value`;
      if (row.value !== null && inline === null) index += 1;
      const value = row.value === null ? '' : (inline ?? argv[index]);
      if (value === undefined) return `option '--${name}' requires a value (${row.value})`;
      given.push({ name, value });
    } else if (argument.startsWith('-') && argument.length > 1) {
      const consumed = splitShortFlags(argument, argv[index + 1], given);
      if (typeof consumed === 'string') return consumed;
      index += consumed;
    } else {
      return `unexpected argument '${argument}'`;
    }
  }
  return given;
}

/** Letters of one argument; the rest of the argument, or else the next one, is the value of the first that takes one. */
function splitShortFlags(argument: string, next: string | undefined, given: GivenFlag[]): number | string {
  for (let at = 1; at < argument.length; at += 1) {
    const letter = argument[at]!;
    const row = FLAGS.find((candidate) => candidate.short === letter);
    if (row === undefined) return `unknown option '-${letter}'`;
    if (row.value === null) {
      given.push({ name: row.long, value: '' });
      continue;
    }
    const inline = argument.slice(at + 1);
    const value = inline === '' ? next : inline;
    if (value === undefined) return `option '-${letter}' requires a value (${row.value})`;
    given.push({ name: row.long, value });
    return inline === '' ? 1 : 0;
  }
  return 0;
}

function collectFlags(given: readonly GivenFlag[]): RunFlags | string {
  const last = (name: string): string | null => given.findLast((flag) => flag.name === name)?.value ?? null;
  const has = (name: string): boolean => last(name) !== null;
  const debugLevel = Number(last('debug') ?? '0');
  if (!Number.isInteger(debugLevel) || debugLevel < 0 || debugLevel > 10)
    return 'debug level must be a number from 0 to 10';
  const port = last('port') === null ? null : Number(last('port'));
  if (port !== null && (!Number.isInteger(port) || port < 1 || port > 64_000))
    return 'port must be a number from 1 to 64000';
  const persistent = last('persistent');
  if (persistent !== null && persistent !== '0' && persistent !== '1') return 'persistent must be 0 or 1';
  return {
    configFile: last('config'),
    stateFolder: last('state'),
    foreground: has('nodaemon'),
    quiet: has('quiet'),
    debugLevel,
    defines: given.filter((flag) => flag.name === 'define').map((flag) => flag.value),
    serverAddress: last('serveraddr'),
    noVirtualHostCheck: has('nocollision'),
    useIPv6: has('ipv4') ? false : has('ipv6') ? true : null,
    port,
    fipsModule: last('fips-module'),
    daemonChild: has('daemon-child'),
  };
}

function splitOnce(text: string): [name: string, value: string | null] {
  const at = text.indexOf('=');
  return at === -1 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}
