/** mod_ls and mod_facts: listings (reference, section 7). */
import { ConfigError } from '../config-error.ts';
import { works, type DirectiveRow, type ParseInput } from '../directive-row.ts';
import type { ListOptions, Settings } from '../server-config.ts';
import {
  choice,
  expectCount,
  onOff,
  options,
  oneWord,
  readBoolean,
  readInteger,
  readOctal,
  someWords,
} from '../values.ts';
import { SVG, SVGA, SVGADf } from './contexts.ts';

const LETTERS = '1AaBCcdFhLlnRrStUu';
const MAX_ENTRIES = 2 ** 31 - 1;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function listOptions(input: ParseInput): ListOptions {
  const words = [...someWords(input)];
  const result: Mutable<ListOptions> = {
    forced: '',
    removed: '',
    strict: false,
    maxFiles: 0,
    maxDirectories: 0,
    maxDepth: 0,
    listOnly: false,
    nlstOnly: false,
    noErrorIfAbsent: false,
    adjustedSymlinks: false,
    sortedNlst: false,
  };
  while (words.length > 0 && (words[0] === '' || /^[+-]|^\s/.test(words[0]!)))
    readFlags(words.shift()!, result);
  while (words.length > 0) readKeyword(words, result);
  return result;
}

/** `-` forces letters, `+` takes them away; one word may hold several groups (`-a +R`). */
function readFlags(word: string, result: Mutable<ListOptions>): void {
  for (const group of word.split(/\s+/).filter((part) => part !== '')) {
    const sign = group[0];
    if (sign !== '-' && sign !== '+') throw new ConfigError(`invalid list options: '${group}'`);
    for (const letter of group.slice(1)) {
      if (!LETTERS.includes(letter)) throw new ConfigError(`unknown list option '${letter}' in '${group}'`);
      const target = sign === '-' ? 'forced' : 'removed';
      if (!result[target].includes(letter)) result[target] += letter;
    }
  }
}

function readKeyword(words: string[], result: Mutable<ListOptions>): void {
  const keyword = words.shift()!;
  const number = (): number => {
    const word = words.shift();
    if (word === undefined) throw new ConfigError('wrong number of parameters');
    return readInteger(word, 1, MAX_ENTRIES);
  };
  switch (keyword.toLowerCase()) {
    case 'strict':
      result.strict = true;
      break;
    case 'maxfiles':
      result.maxFiles = number();
      break;
    case 'maxdirs':
      result.maxDirectories = number();
      break;
    case 'maxdepth':
      result.maxDepth = number();
      break;
    case 'listonly':
      result.listOnly = true;
      break;
    case 'nlstonly':
      result.nlstOnly = true;
      break;
    case 'noerrorifabsent':
      result.noErrorIfAbsent = true;
      break;
    case 'adjustedsymlinks':
      result.adjustedSymlinks = true;
      break;
    case 'noadjustedsymlinks':
      result.adjustedSymlinks = false;
      break;
    case 'sortednlst':
      result.sortedNlst = true;
      break;
    default:
      throw new ConfigError(`unknown keyword: '${keyword}'`);
  }
}

/** `on [name|~]`, with `ftp` where no name is given; null for off. */
function fakeName(input: ParseInput): string | null {
  const [flag, name] = expectCount(input, 1, 2);
  if (!readBoolean(flag!)) return null;
  return name ?? 'ftp';
}

const FACTS = [
  'modify',
  'create',
  'perm',
  'size',
  'type',
  'unique',
  'media-type',
  'UNIX.group',
  'UNIX.groupname',
  'UNIX.mode',
  'UNIX.owner',
  'UNIX.ownername',
] as const;

export const LS: readonly DirectiveRow[] = [
  works({
    name: 'ListOptions',
    key: 'listOptions',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGADf,
    syntax:
      'ListOptions "-flags" [strict] [maxfiles N] [maxdirs N] [maxdepth N] [LISTOnly] [NLSTOnly] [NoErrorIfAbsent] [AdjustedSymlinks] [SortedNLST]',
    defaultText: 'none',
    parse: listOptions,
    summary: 'Options in force for LIST and NLST, and limits of one listing.',
  }),
  works({
    name: 'ListStyle',
    key: 'listStyle',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGADf,
    syntax: 'ListStyle Unix|Windows',
    defaultText: 'Unix',
    parse: choice(
      ['Unix', 'Windows'] as const satisfies readonly Settings['listStyle'][],
      'unknown ListStyle',
    ),
    summary: 'Form of the lines of LIST.',
  }),
  works({
    name: 'UseGlobbing',
    key: 'useGlobbing',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGA,
    syntax: 'UseGlobbing on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Whether LIST and NLST expand wildcards.',
  }),
  works({
    name: 'ShowSymlinks',
    key: 'showSymlinks',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGA,
    syntax: 'ShowSymlinks on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'off shows what links lead to.',
  }),
  works({
    name: 'DirFakeUser',
    key: 'dirFakeUser',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGADf,
    syntax: 'DirFakeUser on|off [name|~]',
    defaultText: 'off',
    parse: fakeName,
    summary: 'Owner shown in listings (`ftp`, or the user with `~`).',
  }),
  works({
    name: 'DirFakeGroup',
    key: 'dirFakeGroup',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGADf,
    syntax: 'DirFakeGroup on|off [name|~]',
    defaultText: 'off',
    parse: fakeName,
    summary: "Group shown in listings (`ftp`, or the user's with `~`).",
  }),
  works({
    name: 'DirFakeMode',
    key: 'dirFakeMode',
    merge: 'replace',
    module: 'mod_ls',
    contexts: SVGADf,
    syntax: 'DirFakeMode mode',
    defaultText: 'none',
    parse: (input) => readOctal(oneWord(input), 'mode'),
    summary: 'Permissions shown in listings, in octal.',
  }),
  works({
    name: 'FactsAdvertise',
    key: 'factsAdvertise',
    merge: 'replace',
    module: 'mod_facts',
    contexts: SVG,
    syntax: 'FactsAdvertise on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Whether FEAT names MLST.',
  }),
  works({
    name: 'FactsOptions',
    key: 'factsOptions',
    merge: 'append',
    module: 'mod_facts',
    contexts: SVGA,
    syntax: 'FactsOptions UseSlink|NoNames|AdjustedSymlinks ...',
    defaultText: 'none',
    parse: options(['UseSlink', 'NoNames', 'AdjustedSymlinks', 'NoAdjustedSymlinks'], 'unknown FactsOption'),
    summary: 'How MLSD and MLST show links and owners.',
  }),
  works({
    name: 'FactsDefault',
    key: 'factsDefault',
    merge: 'replace',
    module: 'mod_facts',
    contexts: SVG,
    syntax: 'FactsDefault fact ...',
    defaultText: 'all',
    parse: options(FACTS, 'unknown fact'),
    summary: 'Facts sent until OPTS MLST chooses others.',
  }),
];
