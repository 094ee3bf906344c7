/**
 * Apache httpd's mod_ftp, and the httpd directives such a host relies on (mod_ftp reference). Where the meaning is
 * the same, a line sets what its ProFTPD counterpart sets; the rest is refused and names that counterpart.
 */
import { ConfigError } from '../config-error.ts';
import type { DirectiveRow, ParseInput } from '../directive-row.ts';
import type { PartialSettings } from '../server-config.ts';
import { absolutePath, duration, integer, onOff, oneName, oneWord, readOctal, someWords } from '../values.ts';
import { readLimit } from '../values-limits.ts';
import { absentEngine, noEffect, refused, refusedNames, S, several, SVG } from './contexts.ts';
import { passivePorts } from './core-server.ts';

const family = { module: 'mod_ftp', contexts: SVG };

function same(
  name: string,
  parameters: string,
  counterpart: string,
  parse: (input: ParseInput) => PartialSettings,
): DirectiveRow {
  return several({
    ...family,
    name,
    syntax: `${name} ${parameters}`,
    defaultText: 'none',
    parse,
    summary: `The same as \`${counterpart}\`.`,
  });
}

function instead(name: string, because: string): DirectiveRow {
  return refused({ ...family, name, syntax: `${name} ...`, defaultText: 'none', because });
}

function ftpOptions(input: ParseInput): PartialSettings {
  for (const word of someWords(input)) {
    if (word.toLowerCase() !== 'requiressl') {
      throw new ConfigError(`FTPOptions ${word} is not supported; only RequireSSL is`);
    }
  }
  return { tlsRequired: { control: true, data: 'required', auth: true } };
}

function banner(input: ParseInput): PartialSettings {
  const text = oneName(input);
  if (!text.startsWith('file:')) return { serverIdent: { enabled: true, text } };
  return { displayConnect: absolutePath({ ...input, args: [text.slice('file:'.length)] }) };
}

function exitMessage(input: ParseInput): PartialSettings {
  const text = oneName(input);
  if (!text.startsWith('file:')) throw new ConfigError('only file:PATH is supported; use DisplayQuit');
  return { displayQuit: absolutePath({ ...input, args: [text.slice('file:'.length)] }) };
}

export const MOD_FTP: readonly DirectiveRow[] = [
  refused({
    ...family,
    name: 'FTP',
    syntax: 'FTP on|off',
    defaultText: 'on',
    acceptsWhen: (input) => (onOff(input) ? 'every server speaks FTP' : null),
    because: 'every server speaks FTP; use Port 0 for one that does not listen',
  }),
  same('FTPPASVrange', 'min max', 'PassivePorts', (input) => ({ passivePorts: passivePorts(input) })),
  same('FTPPASVaddr', 'address', 'MasqueradeAddress', (input) => ({ masqueradeAddress: oneName(input) })),
  same('FTPUmask', 'mask', 'Umask', (input) => {
    const mask = readOctal(oneWord(input), 'umask');
    return { umask: { file: mask, directory: mask } };
  }),
  same('FTPTimeoutLogin', 'seconds', 'TimeoutLogin', (input) => ({ timeoutLogin: duration(input) })),
  same('FTPTimeoutIdle', 'seconds', 'TimeoutIdle', (input) => ({ timeoutIdle: duration(input) })),
  same('FTPTimeoutData', 'seconds', 'TimeoutStalled', (input) => ({ timeoutStalled: duration(input) })),
  same('FTPMaxLoginAttempts', 'number', 'MaxLoginAttempts', (input) => ({
    maxLoginAttempts: integer(0, 1_000_000)(input),
  })),
  same('FTPLimitLoginUser', 'number', 'MaxClientsPerUser', (input) => ({
    maxClientsPerUser: { count: readLimit(oneWord(input)) },
  })),
  same('FTPLimitLoginIP', 'number', 'MaxClientsPerHost', (input) => ({
    maxClientsPerHost: { count: readLimit(oneWord(input)) },
  })),
  same('FTPLimitLoginServer', 'number', 'MaxClients', (input) => ({
    maxClients: { count: readLimit(oneWord(input)) },
  })),
  same('FTPJailUser', 'on|off', 'DefaultRoot ~', (input): PartialSettings =>
    onOff(input) ? { defaultRoot: [{ path: '~' }] } : {},
  ),
  same('FTPImplicitSSL', 'on|off', 'TLSOptions UseImplicitSSL', (input): PartialSettings =>
    onOff(input) ? { tlsOptions: ['UseImplicitSSL'] } : {},
  ),
  same('FTPOptions', 'RequireSSL', 'TLSRequired on', ftpOptions),
  same('FTPBannerMessage', 'text|file:path', 'ServerIdent on "text"', banner),
  same('FTPExitMessage', 'file:path', 'DisplayQuit', exitMessage),
  same('DocumentRoot', 'path', 'DefaultRoot', (input) => ({ defaultRoot: [{ path: absolutePath(input) }] })),
  noEffect({
    ...family,
    name: 'FTPLimitDBFile',
    syntax: 'FTPLimitDBFile path',
    defaultText: 'none',
    because: 'sessions are counted in memory',
  }),
  noEffect({
    ...family,
    name: 'FTPDataBlockSize',
    syntax: 'FTPDataBlockSize bytes',
    defaultText: 'none',
    because: 'LockgateTransferBuffer sets the size of the buffers of a transfer',
  }),
  noEffect({
    ...family,
    name: 'FTPLowPortSock',
    syntax: 'FTPLowPortSock path',
    defaultText: 'none',
    because: 'ports below 1024 are bound by the main thread, no helper is needed',
  }),
  noEffect({
    ...family,
    name: 'AcceptFilter',
    contexts: S,
    syntax: 'AcceptFilter protocol filter',
    defaultText: 'none',
    because: 'connections are accepted without waiting for data',
  }),
  absentEngine(family, 'FTPEPSVIgnoreFamily', 'off', 'EPSV for another address family is answered 522'),
  instead('FTPDirUmask', 'use Umask with two masks: files and directories'),
  instead('FTPActiveRange', 'use RootRevoke off for port 20; a range of source ports is not supported'),
  instead('FTPPASVbindaddr', 'passive ports are bound on the address the client connected to'),
  instead('FTPReadmeMessage', 'use DisplayChdir with a file'),
  instead('FTPHomeDir', 'write the home directory into the account file, or use DefaultRoot'),
  instead('FTPDocRootEnv', 'use DefaultRoot with %{env:NAME}'),
  refused({
    ...family,
    name: 'Listen',
    contexts: S,
    syntax: 'Listen port [protocol]',
    defaultText: '21',
    acceptsWhen: (input) =>
      input.args[0] === '21' ? 'the main server listens on port 21 unless Port says otherwise' : null,
    because: 'use Port and DefaultAddress, or <VirtualHost> with Port',
  }),
  instead('ServerRoot', 'write absolute paths'),
  instead('ErrorLog', 'use SystemLog or ServerLog, and TLSLog'),
  instead('LogLevel', 'use SyslogLevel'),
  instead('CustomLog', 'use TransferLog for transfers and ExtendedLog for commands'),
  ...refusedNames(family, 'use AuthUserFile and AuthOrder for accounts, <Limit> for permissions', [
    'AuthBasicProvider',
    'AuthName',
    'AuthType',
    'Require',
  ]),
  instead('MaxRequestWorkers', 'use MaxInstances'),
];
