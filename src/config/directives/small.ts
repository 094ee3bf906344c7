/** mod_ident, mod_lang, mod_rlimit and the directives of this server. */
import { ConfigError } from '../config-error.ts';
import { works, type DirectiveRow, type ParseInput } from '../directive-row.ts';
import type { Settings } from '../server-config.ts';
import {
  absolutePath,
  absolutePathOrNone,
  choice,
  expectCount,
  integer,
  onOff,
  readInteger,
  readSize,
  someWords,
  booleanOrNull,
} from '../values.ts';
import { noEffect, refused, S, SVG } from './contexts.ts';

function useEncoding(input: ParseInput): boolean {
  const words = expectCount(input, 1, 3);
  const flag = booleanOrNull(words[0]!);
  if (flag !== null && words.length === 1) return flag;
  const other = words.find((word) => !/^(?:utf-?8|strict)$/i.test(word));
  if (other === undefined) return true;
  throw new ConfigError(`unsupported charset '${other}': names are UTF-8 (on) or bytes (off)`);
}

function warnEncoding(input: ParseInput): string | null {
  return useEncoding(input) ? null : 'names are taken as the bytes a client sends, whatever their charset';
}

function openFiles(input: ParseInput): Settings['rLimitOpenFiles'] {
  const words = [...someWords(input)];
  if (/^(?:session|daemon)$/i.test(words[0]!)) words.shift();
  const [soft, hard, ...more] = words.map(readResource);
  if (soft === undefined || more.length > 0) throw new ConfigError('wrong number of parameters');
  // Without a hard limit that one stays as it is.
  const limit = hard ?? Number.POSITIVE_INFINITY;
  if (limit < soft) throw new ConfigError('soft limit is greater than hard limit');
  return { soft, hard: limit };
}

/** A number of files, or `max`: as many as the system allows. */
function readResource(word: string): number {
  return word.toLowerCase() === 'max' ? Number.POSITIVE_INFINITY : readInteger(word, 1, 2 ** 31 - 1);
}

/** `max` (or `none`) asks for no limit. */
function asksForNothing(input: ParseInput): string | null {
  const words = input.args.filter((word) => !/^(?:session|daemon)$/i.test(word));
  return words.length > 0 && words.every((word) => /^(?:max|none)$/i.test(word))
    ? 'no limit is set anyway'
    : null;
}

function bufferSize(input: ParseInput): number {
  const [number, unit] = expectCount(input, 1, 2);
  const bytes = readSize(number!, unit ?? '');
  if (bytes < 4096 || bytes > 16 * 1024 ** 2) throw new ConfigError('size must be between 4 Kb and 16 Mb');
  return bytes;
}

const sharedProcess =
  'all sessions share one process, so a limit per session has no meaning; limit the service (systemd MemoryMax, CPUQuota) and MaxInstances';

export const SMALL: readonly DirectiveRow[] = [
  works({
    name: 'IdentLookups',
    key: 'identLookups',
    merge: 'replace',
    module: 'mod_ident',
    contexts: SVG,
    syntax: 'IdentLookups on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Asks the client host for the name of its user (RFC 1413).',
  }),
  works({
    name: 'UseEncoding',
    key: 'useEncoding',
    merge: 'replace',
    module: 'mod_lang',
    contexts: SVG,
    syntax: 'UseEncoding on|off|UTF-8',
    defaultText: 'on',
    parse: useEncoding,
    warn: warnEncoding,
    summary: 'Whether names must be UTF-8; off, and a client with OPTS UTF8 OFF, takes them as bytes.',
  }),
  noEffect({
    name: 'LangEngine',
    module: 'mod_lang',
    contexts: SVG,
    syntax: 'LangEngine on|off',
    defaultText: 'on',
    check: onOff,
    because: 'LANG is always answered; UseEncoding decides about names',
  }),
  noEffect({
    name: 'LangDefault',
    module: 'mod_lang',
    contexts: SVG,
    syntax: 'LangDefault language',
    defaultText: 'en_US',
    because: 'answers are in English',
  }),
  noEffect({
    name: 'LangPath',
    module: 'mod_lang',
    contexts: S,
    syntax: 'LangPath path',
    defaultText: 'none',
    because: 'answers are in English, there are no catalogues to read',
  }),
  noEffect({
    name: 'LangOptions',
    module: 'mod_lang',
    contexts: SVG,
    syntax: 'LangOptions option ...',
    defaultText: 'none',
    because: 'names that are not UTF-8 are refused in one way only',
  }),
  works({
    name: 'RLimitOpenFiles',
    key: 'rLimitOpenFiles',
    merge: 'replace',
    module: 'mod_rlimit',
    contexts: S,
    syntax: 'RLimitOpenFiles [session|daemon] soft|max [hard|max]',
    defaultText: 'as many as the hard limit allows',
    parse: openFiles,
    summary: 'Open files of the server, all sessions together.',
  }),
  refused({
    name: 'RLimitCPU',
    module: 'mod_rlimit',
    contexts: S,
    syntax: 'RLimitCPU [session|daemon] soft|max [hard|max]',
    defaultText: 'none',
    acceptsWhen: asksForNothing,
    because: sharedProcess,
  }),
  refused({
    name: 'RLimitMemory',
    module: 'mod_rlimit',
    contexts: S,
    syntax: 'RLimitMemory [session|daemon] soft|max [hard|max]',
    defaultText: 'none',
    acceptsWhen: asksForNothing,
    because: sharedProcess,
  }),
  noEffect({
    name: 'RLimitProcesses',
    module: 'mod_rlimit',
    contexts: S,
    syntax: 'RLimitProcesses [session|daemon] soft|max [hard|max]',
    defaultText: 'none',
    because: 'sessions never start processes',
  }),
  noEffect({
    name: 'RLimitChroot',
    module: 'mod_rlimit',
    contexts: SVG,
    syntax: 'RLimitChroot on|off',
    defaultText: 'on',
    check: onOff,
    because: "the server loads no file from a user's root: it does not chroot itself",
  }),
  works({
    name: 'LockgateUserStore',
    key: 'userStore',
    merge: 'replace',
    module: 'mod_lockgate',
    contexts: SVG,
    syntax: 'LockgateUserStore path',
    defaultText: 'none',
    parse: absolutePath,
    summary: 'The embedded user store that `lockgate user` manages.',
  }),
  works({
    name: 'LockgateLog',
    key: 'structuredLog',
    merge: 'replace',
    module: 'mod_lockgate',
    contexts: S,
    syntax: 'LockgateLog path|none',
    defaultText: 'none',
    parse: absolutePathOrNone,
    summary: 'Everything the server logs as JSON lines, one object each, with session and client.',
  }),
  works({
    name: 'LockgatePassivePortsExhausted',
    key: 'passivePortsExhausted',
    merge: 'replace',
    module: 'mod_lockgate',
    contexts: SVG,
    syntax: 'LockgatePassivePortsExhausted fallback|refuse',
    defaultText: 'fallback',
    parse: choice(['fallback', 'refuse'], 'unknown parameter'),
    summary: 'A full PassivePorts range: any other port, or 425 at once.',
  }),
  works({
    name: 'LockgateWorkers',
    key: 'workers',
    merge: 'replace',
    module: 'mod_lockgate',
    contexts: S,
    syntax: 'LockgateWorkers number',
    defaultText: 'number of processors',
    parse: integer(1, 256),
    summary: 'Worker threads that hold the sessions.',
  }),
  works({
    name: 'LockgateTransferBuffer',
    key: 'transferBufferSize',
    merge: 'replace',
    module: 'mod_lockgate',
    contexts: SVG,
    syntax: 'LockgateTransferBuffer number [B|Kb|Mb]',
    defaultText: '512 Kb',
    parse: bufferSize,
    summary: 'Size of each of the buffers of a transfer, 4 Kb to 16 Mb.',
  }),
];
