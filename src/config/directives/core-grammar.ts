/** mod_core and mod_dso: directives that the grammar itself interprets (reference, sections 1 and 4). */
import type { Context, DirectiveRow } from '../directive-row.ts';
import { options } from '../values.ts';
import { ANYWHERE, grammar, LIMIT, noEffect, refused, S, SG, SVGA, several } from './contexts.ts';

const module = 'mod_core';
const CLASS: readonly Context[] = ['C'];
const EVERYBODY: readonly Context[] = ['A', 'D', 'L', 'f'];

function limitRule(name: string, syntax: string, summary: string, contexts = LIMIT): DirectiveRow {
  return grammar({ name, syntax, summary, contexts, module, defaultText: 'none' });
}

const names = '[AND|OR|regex] name[,!name ...]';

export const CORE_GRAMMAR: readonly DirectiveRow[] = [
  grammar({
    name: 'Include',
    module,
    contexts: ANYWHERE,
    syntax: 'Include path|pattern',
    defaultText: 'none',
    summary: 'Reads other files, in alphabetical order, as if they stood here.',
  }),
  several({
    name: 'IncludeOptions',
    module,
    contexts: S,
    syntax: 'IncludeOptions AllowSymlinks|IgnoreTempFiles|IgnoreWildcards ...',
    defaultText: 'none',
    parse: (input) => {
      options(['AllowSymlinks', 'IgnoreTempFiles', 'IgnoreWildcards'], 'unknown IncludeOption')(input);
      return {};
    },
    summary: 'What the Include lines behind it accept.',
  }),
  grammar({
    name: 'Define',
    module,
    contexts: ANYWHERE,
    syntax: 'Define label',
    defaultText: 'none',
    summary: 'Makes <IfDefine label> true, like -D on the command line.',
  }),
  grammar({
    name: 'LoadModule',
    module: 'mod_dso',
    contexts: S,
    syntax: 'LoadModule module.c',
    defaultText: 'none',
    summary:
      'Accepted for modules that are built in; others are reported, and their directives judged one by one.',
  }),
  noEffect({
    name: 'ModulePath',
    module: 'mod_dso',
    contexts: S,
    syntax: 'ModulePath directory',
    defaultText: 'none',
    because: 'every module is built in',
  }),
  noEffect({
    name: 'ModuleOrder',
    module: 'mod_dso',
    contexts: S,
    syntax: 'ModuleOrder module.c ...',
    defaultText: 'none',
    because: 'the order of modules has no meaning here',
  }),
  noEffect({
    name: 'ModuleControlsACLs',
    module: 'mod_dso',
    contexts: S,
    syntax: 'ModuleControlsACLs actions allow|deny user|group list',
    defaultText: 'nobody',
    because: 'modules can be neither loaded nor removed at run time, by anybody',
  }),
  refused({
    name: 'RegexOptions',
    module,
    contexts: SVGA,
    syntax: 'RegexOptions [MatchLimit N] [MatchLimitRecursion N]',
    defaultText: 'none',
    because:
      'regular expressions have no match limit here; remove it and write filters without nested repetition',
  }),
  grammar({
    name: 'From',
    module,
    contexts: CLASS,
    syntax: 'From [!]address ...',
    defaultText: 'none',
    summary: 'Addresses that belong to the class.',
  }),
  grammar({
    name: 'Satisfy',
    module,
    contexts: CLASS,
    syntax: 'Satisfy any|all',
    defaultText: 'any',
    summary: 'Whether one From line is enough.',
  }),
  limitRule(
    'Order',
    'Order allow,deny|deny,allow',
    'Which rules are asked first; nothing matching: allowed, denied.',
  ),
  limitRule('Allow', 'Allow [from] [!]address ...', 'Client addresses that are allowed.'),
  limitRule('Deny', 'Deny [from] [!]address ...', 'Client addresses that are denied.'),
  limitRule('AllowAll', 'AllowAll', 'Allows everybody whom no rule denies.', EVERYBODY),
  limitRule('DenyAll', 'DenyAll', 'Denies everybody whom no rule allows.', EVERYBODY),
  limitRule('AllowUser', `AllowUser ${names}`, 'Users that are allowed; OR where no word is given.'),
  limitRule('DenyUser', `DenyUser ${names}`, 'Users that are denied; OR where no word is given.'),
  limitRule('AllowGroup', `AllowGroup ${names}`, 'Groups that are allowed; AND where no word is given.'),
  limitRule('DenyGroup', `DenyGroup ${names}`, 'Groups that are denied; AND where no word is given.'),
  limitRule('AllowClass', `AllowClass ${names}`, 'Classes that are allowed; OR where no word is given.'),
  limitRule('DenyClass', `DenyClass ${names}`, 'Classes that are denied; OR where no word is given.'),
  limitRule('IgnoreHidden', 'IgnoreHidden on|off', 'Hidden files are answered as if they did not exist.'),
  grammar({
    name: 'LogFormat',
    module: 'mod_log',
    contexts: SG,
    syntax: 'LogFormat nickname "format"',
    defaultText: 'default "%h %l %u %t \\"%r\\" %s %b"',
    summary: 'Names a format for ExtendedLog.',
  }),
];
