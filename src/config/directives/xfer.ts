/** mod_xfer: transfers (reference, section 6). */
import { ConfigError } from '../config-error.ts';
import { works, type DirectiveRow, type ParseInput } from '../directive-row.ts';
import type { Settings } from '../server-config.ts';
import { booleanOrNull, choice, displayPath, expectCount, onOff, oneName, options } from '../values.ts';
import { noEffect, SVG, SVGA, SVGAD, SVGADf } from './contexts.ts';

const module = 'mod_xfer';

function hiddenStores(input: ParseInput): Settings['hiddenStores'] {
  const [first, suffix] = expectCount(input, 1, 2);
  const flag = booleanOrNull(first!);
  if (flag !== null) {
    if (suffix !== undefined) throw new ConfigError('wrong number of parameters');
    return flag ? { prefix: '.in.', suffix: '.' } : null;
  }
  if ([first!, suffix ?? ''].some((part) => part.includes('/'))) {
    throw new ConfigError(`prefix and suffix must not contain a slash: '${input.args.join(' ')}'`);
  }
  if (first === '') throw new ConfigError('missing parameters');
  return { prefix: first!, suffix: suffix ?? '.' };
}

/** How much the original sends per call; any amount turns it on, and a turn of the event loop bounds a call here. */
function sendfile(input: ParseInput): boolean {
  const word = oneName(input);
  const flag = booleanOrNull(word);
  if (flag !== null) return flag;
  const percent = /^(\d{1,3})%$/.exec(word);
  const isShare = percent !== null && Number(percent[1]) >= 1 && Number(percent[1]) <= 100;
  if (!isShare && !/^\d{1,12}[kmg]?b?$/i.test(word)) throw new ConfigError('expected Boolean parameter');
  return true;
}

function storePrefix(input: ParseInput): string {
  const prefix = oneName(input);
  if (prefix.includes('/')) throw new ConfigError("may not contain a '/'");
  return prefix;
}

export const XFER: readonly DirectiveRow[] = [
  works({
    name: 'AllowOverwrite',
    key: 'allowOverwrite',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'AllowOverwrite on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Whether uploads and renames may replace an existing file.',
  }),
  works({
    name: 'AllowStoreRestart',
    key: 'allowStoreRestart',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'AllowStoreRestart on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Whether uploads may continue or append to an existing file.',
  }),
  works({
    name: 'AllowRetrieveRestart',
    key: 'allowRetrieveRestart',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'AllowRetrieveRestart on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Whether downloads may start in the middle of a file.',
  }),
  works({
    name: 'HiddenStores',
    key: 'hiddenStores',
    merge: 'replace',
    module,
    contexts: SVGAD,
    syntax: 'HiddenStores on|off|prefix [suffix]',
    defaultText: 'off',
    parse: hiddenStores,
    summary: 'Uploads get a hidden name (`.in.NAME.`) until they are complete.',
  }),
  works({
    name: 'DeleteAbortedStores',
    key: 'deleteAbortedStores',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'DeleteAbortedStores on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Removes what an aborted upload left.',
  }),
  works({
    name: 'DefaultTransferMode',
    key: 'defaultTransferMode',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'DefaultTransferMode ascii|binary',
    defaultText: 'ascii',
    parse: choice(['ascii', 'binary'], 'unknown transfer mode'),
    summary: 'TYPE at the start of a session.',
  }),
  works({
    name: 'StoreUniquePrefix',
    key: 'storeUniquePrefix',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'StoreUniquePrefix prefix',
    defaultText: 'none',
    parse: storePrefix,
    summary: 'How names made by STOU begin.',
  }),
  works({
    name: 'TransferOptions',
    key: 'transferOptions',
    merge: 'append',
    module,
    contexts: SVG,
    syntax: 'TransferOptions IgnoreASCII|AllowSymlinkUpload ...',
    defaultText: 'none',
    parse: options(['IgnoreASCII', 'AllowSymlinkUpload'], 'unknown TransferOption'),
    summary: 'Transfers every file as it is, or uploads through symbolic links.',
  }),
  works({
    name: 'UseSendfile',
    key: 'useSendfile',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'UseSendfile on|off|length|percentage%',
    defaultText: 'on',
    parse: sendfile,
    summary:
      'Whether the kernel itself sends files on connections in clear (Linux); a length or a percentage counts as on.',
  }),
  works({
    name: 'DisplayFileTransfer',
    key: 'displayFileTransfer',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'DisplayFileTransfer path|none',
    defaultText: 'none',
    parse: displayPath,
    summary: 'File shown with the answer to a successful transfer.',
  }),
  noEffect({
    name: 'TransferPriority',
    module,
    contexts: SVGADf,
    syntax: 'TransferPriority commands low|medium|high|number',
    defaultText: 'none',
    because: 'sessions share worker threads, which have one priority; TransferRate limits a session',
  }),
];
