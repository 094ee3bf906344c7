/** mod_core: the server, its addresses and its process (reference, section 2). */
import { isIP } from 'node:net';
import { ConfigError } from '../config-error.ts';
import { works, type DirectiveRow, type ParseInput } from '../directive-row.ts';
import type { Settings } from '../server-config.ts';
import { canSetSocketSizes } from '../../util/socket-options.ts';
import {
  absolutePathOrNone,
  booleanOrNull,
  choice,
  expectCount,
  integer,
  onOff,
  oneName,
  readBoolean,
  readChoice,
  readInteger,
  readOctal,
  someWords,
} from '../values.ts';
import { rateLimit, readLimit } from '../values-limits.ts';
import { noEffect, S, SV, SVG, SVGA, SVGADf } from './contexts.ts';

const module = 'mod_core';

function serverIdent(input: ParseInput): Settings['serverIdent'] {
  const [flag, text] = expectCount(input, 1, 2);
  const enabled = readBoolean(flag!);
  if (!enabled && text !== undefined) throw new ConfigError('wrong number of parameters');
  return text === undefined ? { enabled } : { enabled, text };
}

/** `min max`, 1024 to 65535. */
export function passivePorts(input: ParseInput): Settings['passivePorts'] {
  const [low, high] = expectCount(input, 2);
  const [min, max] = [low!, high!].map((word) => (/^\d{1,5}$/.test(word) ? Number(word) : Number.NaN));
  if (!(min! >= 1024 && min! <= 65_535)) throw new ConfigError('min port must be allowable port number');
  if (!(max! >= 1024 && max! <= 65_535)) throw new ConfigError('max port must be allowable port number');
  if (min! > max!) throw new ConfigError('min port must be equal to or less than max port');
  return { min: min!, max: max! };
}

type DraftSocketOptions = {
  -readonly [K in keyof Settings['socketOptions']]: Settings['socketOptions'][K];
};

/** `idle:count:interval` tunes the probes; having it means keepalive is on. */
function readKeepAlive(value: string, result: DraftSocketOptions): void {
  const probes = /^(\d{1,6}):(\d{1,6}):(\d{1,6})$/.exec(value);
  result.keepAlive = probes !== null || readBoolean(value);
  if (probes === null) return;
  const [idle, count, interval] = probes.slice(1).map((word) => readInteger(word, 1, 32_767));
  result.keepAliveProbes = { idle: idle!, count: count!, interval: interval! };
}

function warnSocketOptions(input: ParseInput): string | null {
  const sized = input.args.some((word) => /^(?:maxseg|rcvbuf|sndbuf)$/i.test(word));
  if (input.context === 'V' && input.args.some((word) => /^reuseport$/i.test(word))) {
    return 'reuseport counts in the main server only, for all listeners';
  }
  return sized && !canSetSocketSizes ? 'maxseg, rcvbuf and sndbuf have no effect on this platform' : null;
}

function socketOptions(input: ParseInput): Settings['socketOptions'] {
  const words = someWords(input);
  if (words.length % 2 !== 0) throw new ConfigError('wrong number of parameters');
  const result: DraftSocketOptions = { keepAlive: true, reusePort: false };
  for (let index = 0; index < words.length; index += 2) {
    const value = words[index + 1]!;
    switch (words[index]!.toLowerCase()) {
      case 'maxseg':
        result.maxSegment = readInteger(value, 1, 65_535);
        break;
      case 'rcvbuf':
        result.receiveBuffer = readInteger(value, 1024, 2 ** 30);
        break;
      case 'sndbuf':
        result.sendBuffer = readInteger(value, 1024, 2 ** 30);
        break;
      case 'keepalive':
        readKeepAlive(value, result);
        break;
      case 'reuseport':
        result.reusePort = readBoolean(value);
        break;
      default:
        throw new ConfigError(`unknown socket option: '${words[index]!}'`);
    }
  }
  return result;
}

function allowForeignAddress(input: ParseInput): Settings['allowForeignAddress'] {
  const word = oneName(input);
  return booleanOrNull(word) ?? { className: word };
}

function rootRevoke(input: ParseInput): Settings['rootRevoke'] {
  const word = oneName(input);
  const flag = booleanOrNull(word);
  if (flag !== null) return flag ? 'on' : 'off';
  return readChoice(word, ['UseNonCompliantActiveTransfers'] as const, 'unknown parameter');
}

function umask(input: ParseInput): Settings['umask'] {
  const [file, directory] = expectCount(input, 1, 2);
  const fileMask = readOctal(file!, 'umask');
  return { file: fileMask, directory: directory === undefined ? fileMask : readOctal(directory, 'umask') };
}

const PROTOCOLS = ['ftp', 'ftps', 'sftp', 'scp', 'date'] as const;

function addresses(input: ParseInput): readonly string[] {
  const words = someWords(input);
  for (const word of words) {
    if (isIP(word) === 0 && !/^[A-Za-z0-9_*]([A-Za-z0-9_.-]{0,252})$/.test(word)) {
      throw new ConfigError(`unable to resolve '${word}'`);
    }
  }
  return words;
}

function warnIdentity(input: ParseInput): string | null {
  return input.context === 'V'
    ? 'has no effect in <VirtualHost>: one process serves all, as User and Group of the main server'
    : null;
}

function environment(input: ParseInput): Settings['setEnv'] {
  const [name, value] =
    input.name.toLowerCase() === 'unsetenv' ? expectCount(input, 1) : expectCount(input, 2);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name!))
    throw new ConfigError(`invalid environment variable name: '${name!}'`);
  return [{ name: name!, value: value ?? null }];
}

export const CORE_SERVER: readonly DirectiveRow[] = [
  works({
    name: 'ServerType',
    key: 'serverType',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'ServerType standalone|inetd',
    defaultText: 'standalone',
    parse: choice(['standalone', 'inetd'], 'type must be either "inetd" or "standalone"'),
    summary: 'A daemon of its own, or one session on standard input.',
  }),
  works({
    name: 'ServerName',
    key: 'serverName',
    merge: 'replace',
    module,
    contexts: SV,
    syntax: 'ServerName "text"',
    defaultText: 'ProFTPD',
    parse: oneName,
    summary: 'Name of the server in banner, STAT and logs.',
  }),
  works({
    name: 'ServerIdent',
    key: 'serverIdent',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'ServerIdent on ["text"]|off',
    defaultText: 'on',
    parse: serverIdent,
    summary: 'The banner; %L, %V, %v and %{version} are expanded.',
  }),
  works({
    name: 'ServerAdmin',
    key: 'serverAdmin',
    merge: 'replace',
    module,
    contexts: SV,
    syntax: 'ServerAdmin address',
    defaultText: 'root@HOST',
    parse: oneName,
    summary: 'Address of the administrator in HELP and Display files.',
  }),
  works({
    name: 'ServerAlias',
    key: 'serverAlias',
    merge: 'append',
    module,
    contexts: SVG,
    syntax: 'ServerAlias name ...',
    defaultText: 'none',
    parse: someWords,
    summary: 'Names under which HOST and SNI choose this server; `*` and `?` are wildcards.',
  }),
  works({
    name: 'DefaultServer',
    key: 'defaultServer',
    merge: 'replace',
    module,
    contexts: SV,
    syntax: 'DefaultServer on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Serves connections to addresses that no other server has.',
  }),
  works({
    name: 'DefaultAddress',
    key: 'defaultAddress',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'DefaultAddress address|name ...',
    defaultText: 'every address of the host',
    parse: addresses,
    summary: 'Addresses of the main server.',
  }),
  works({
    name: 'Port',
    key: 'port',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'Port number',
    defaultText: '21',
    parse: integer(0, 65_535),
    summary: 'Control port; 0 does not listen. A virtual host without it uses 21.',
  }),
  works({
    name: 'SocketBindTight',
    key: 'socketBindTight',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'SocketBindTight on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Binds each configured address instead of every address of the host.',
  }),
  works({
    name: 'UseIPv6',
    key: 'useIPv6',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'UseIPv6 on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Listens on IPv6 too; `-4` and `-6` on the command line win.',
  }),
  works({
    name: 'TCPBacklog',
    key: 'tcpBacklog',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'TCPBacklog number',
    defaultText: '128',
    parse: integer(1, 65_535),
    summary: 'Length of the queue of connections not yet accepted.',
  }),
  works({
    name: 'TCPNoDelay',
    key: 'tcpNoDelay',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'TCPNoDelay on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Sends small segments at once.',
  }),
  works({
    name: 'SocketOptions',
    key: 'socketOptions',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax:
      'SocketOptions [maxseg N] [rcvbuf N] [sndbuf N] [keepalive on|off|idle:count:interval] [reuseport on|off]',
    defaultText: 'keepalive on',
    parse: socketOptions,
    warn: warnSocketOptions,
    summary: 'Socket tuning; sizes in bytes.',
  }),
  works({
    name: 'MasqueradeAddress',
    key: 'masqueradeAddress',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'MasqueradeAddress address|name|device',
    defaultText: 'none',
    parse: (input) => addresses({ ...input, args: expectCount(input, 1) })[0]!,
    summary: 'Address told in PASV replies behind NAT (EPSV tells none).',
  }),
  works({
    name: 'PassivePorts',
    key: 'passivePorts',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'PassivePorts min max',
    defaultText: 'any port',
    parse: passivePorts,
    summary: 'Range of ports for passive data connections, 1024 to 65535.',
  }),
  works({
    name: 'AllowForeignAddress',
    key: 'allowForeignAddress',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'AllowForeignAddress on|off|class',
    defaultText: 'off',
    parse: allowForeignAddress,
    summary: 'Permits data connections with hosts other than the client (FXP).',
  }),
  works({
    name: 'RootRevoke',
    key: 'rootRevoke',
    merge: 'replace',
    module: 'mod_auth',
    contexts: SVGA,
    syntax: 'RootRevoke on|off|UseNonCompliantActiveTransfers',
    defaultText: 'UseNonCompliantActiveTransfers',
    parse: rootRevoke,
    summary: 'Whether active transfers may come from the port below the control port.',
  }),
  works({
    name: 'User',
    key: 'user',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'User name',
    defaultText: 'none',
    parse: oneName,
    warn: warnIdentity,
    summary: 'Identity of the server after it has bound its ports; in <Anonymous> that of the session.',
  }),
  works({
    name: 'Group',
    key: 'group',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'Group name',
    defaultText: 'none',
    parse: oneName,
    warn: warnIdentity,
    summary: 'Group of the server after it has bound its ports; in <Anonymous> that of the session.',
  }),
  works({
    name: 'MaxInstances',
    key: 'maxInstances',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'MaxInstances number|none',
    defaultText: 'none',
    parse: (input) => readLimit(oneName(input)),
    summary: 'Sessions the server holds at once.',
  }),
  works({
    name: 'MaxConnectionRate',
    key: 'maxConnectionRate',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'MaxConnectionRate number [seconds]',
    defaultText: 'none',
    parse: rateLimit,
    summary: 'New connections per interval (one second); more are closed.',
  }),
  works({
    name: 'MaxCommandRate',
    key: 'maxCommandRate',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'MaxCommandRate number [seconds]',
    defaultText: 'none',
    parse: rateLimit,
    summary: 'Commands per interval (one second); faster clients are delayed.',
  }),
  works({
    name: 'Umask',
    key: 'umask',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'Umask file [directory]',
    defaultText: '022',
    parse: umask,
    summary: 'Permission bits new files and directories do not get, in octal.',
  }),
  works({
    name: 'UseReverseDNS',
    key: 'useReverseDNS',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'UseReverseDNS on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Looks client names up; a name counts only if it maps back.',
  }),
  works({
    name: 'Protocols',
    key: 'protocols',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'Protocols ftp|ftps|sftp|scp ...',
    defaultText: 'all',
    parse: (input) => someWords(input).map((word) => readChoice(word, PROTOCOLS, 'unknown protocol')),
    summary: 'Protocols with which users may log in.',
  }),
  works({
    name: 'CommandBufferSize',
    key: 'commandBufferSize',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'CommandBufferSize bytes',
    defaultText: '512',
    parse: integer(16, 65_536),
    summary: 'Longest command line, line end included.',
  }),
  works({
    name: 'DeferWelcome',
    key: 'deferWelcome',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'DeferWelcome on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'The banner names neither server nor address before login.',
  }),
  works({
    name: 'TimesGMT',
    key: 'timesGMT',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'TimesGMT on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Times of listings in GMT; MDTM and MLSx always are.',
  }),
  works({
    name: 'PidFile',
    key: 'pidFile',
    merge: 'replace',
    module,
    contexts: S,
    syntax: 'PidFile path|none',
    defaultText: 'a path of our own',
    parse: absolutePathOrNone,
    summary: 'File with the process id, for as long as the server runs.',
  }),
  works({
    name: 'DebugLevel',
    key: 'debugLevel',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'DebugLevel number',
    defaultText: '0',
    parse: integer(0, 10),
    summary: 'Above 0 the console and LockgateLog also tell every command and what TLS does.',
  }),
  works({
    name: 'SetEnv',
    key: 'setEnv',
    merge: 'append',
    module,
    contexts: SVG,
    syntax: 'SetEnv name value',
    defaultText: 'none',
    parse: environment,
    summary: 'Sets an environment variable.',
  }),
  works({
    name: 'UnsetEnv',
    key: 'setEnv',
    merge: 'append',
    module,
    contexts: SVG,
    syntax: 'UnsetEnv name',
    defaultText: 'none',
    parse: environment,
    summary: 'Removes an environment variable.',
  }),
  works({
    name: 'AllowOverride',
    key: 'allowOverride',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'AllowOverride on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Whether .ftpaccess files are read.',
  }),
  noEffect({
    name: 'MultilineRFC2228',
    module,
    contexts: S,
    syntax: 'MultilineRFC2228 on|off',
    defaultText: 'off',
    check: onOff,
    because: 'deprecated in ProFTPD as well: RFC 2228 clients read the standard form of replies',
  }),
  noEffect({
    name: 'ScoreboardFile',
    module,
    contexts: S,
    syntax: 'ScoreboardFile path|none',
    defaultText: 'none',
    check: absolutePathOrNone,
    because: 'sessions are kept in memory, not in a file',
  }),
  noEffect({
    name: 'ScoreboardMutex',
    module,
    contexts: S,
    syntax: 'ScoreboardMutex path',
    defaultText: 'none',
    because: 'there is no scoreboard file to lock',
  }),
  noEffect({
    name: 'ScoreboardScrub',
    module,
    contexts: S,
    syntax: 'ScoreboardScrub on|off|seconds',
    defaultText: '30',
    because: 'there is no scoreboard file to clean',
  }),
  noEffect({
    name: 'ScoreboardOptions',
    module,
    contexts: S,
    syntax: 'ScoreboardOptions AllowMissing',
    defaultText: 'none',
    because: 'there is no scoreboard file',
  }),
  noEffect({
    name: 'ProcessTitles',
    module,
    contexts: S,
    syntax: 'ProcessTitles terse|verbose',
    defaultText: 'verbose',
    check: choice(['terse', 'verbose'], 'unknown parameter'),
    because: 'sessions are not processes, so no title can show what a client does',
  }),
  noEffect({
    name: 'FSCachePolicy',
    module,
    contexts: SVG,
    syntax: 'FSCachePolicy on|off|size N maxAge seconds',
    defaultText: 'on',
    because: 'file attributes are not cached: every answer is the file system of that moment',
  }),
  noEffect({
    name: 'FSOptions',
    module,
    contexts: SVG,
    syntax: 'FSOptions IgnoreExtendedAttributes',
    defaultText: 'none',
    because: 'extended attributes are never read or written',
  }),
];
