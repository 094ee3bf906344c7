/** mod_core: filters, visibility, ownership and the messages of files (reference, sections 4.5 and 8). */
import { works, type Context, type DirectiveRow, type ParseInput } from '../directive-row.ts';
import type { Conditional, Filter, Settings } from '../server-config.ts';
import {
  absolutePathOrNone,
  conditional,
  displayPath,
  expectCount,
  onOff,
  oneName,
  readBoolean,
  someWords,
} from '../values.ts';
import { filterParameter, readFilter } from '../values-regex.ts';
import { ADf, SVG, SVGA, SVGADf } from './contexts.ts';

const module = 'mod_core';
/** Also inside `<Limit>`, where they are rules of that section. */
const FILTER: readonly Context[] = [...SVGADf, 'L'];
const Df: readonly Context[] = ['D', 'f'];

function hideFiles(input: ParseInput): readonly Conditional<Filter | null>[] {
  const [pattern, ...rest] = someWords(input);
  if (pattern!.toLowerCase() === 'none') return [conditional(null, rest)];
  const withFlag = rest[0] !== undefined && /^\[(?:nc|nocase)\]$/i.test(rest[0]);
  const filter = readFilter(withFlag ? [pattern!, rest[0]!] : [pattern!]);
  return [conditional(filter, withFlag ? rest.slice(1) : rest)];
}

function displayChdir(input: ParseInput): Settings['displayChdir'] {
  const [path, onlyChanged] = expectCount(input, 1, 2);
  if (path!.toLowerCase() === 'none') return null;
  return { path: path!, onlyChanged: onlyChanged === undefined ? false : readBoolean(onlyChanged) };
}

export const CORE_FILES: readonly DirectiveRow[] = [
  works({
    name: 'AllowFilter',
    key: 'allowFilter',
    merge: 'replace',
    module,
    contexts: FILTER,
    syntax: 'AllowFilter regex [NC]|none',
    defaultText: 'none',
    parse: filterParameter,
    summary: 'Command arguments must match; answered `550 ARG: Forbidden command argument`.',
  }),
  works({
    name: 'DenyFilter',
    key: 'denyFilter',
    merge: 'replace',
    module,
    contexts: FILTER,
    syntax: 'DenyFilter regex [NC]|none',
    defaultText: 'none',
    parse: filterParameter,
    summary: 'Command arguments must not match; answered `550 ARG: Forbidden command argument`.',
  }),
  works({
    name: 'PathAllowFilter',
    key: 'pathAllowFilter',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'PathAllowFilter regex [NC]|none',
    defaultText: 'none',
    parse: filterParameter,
    summary: 'Names of uploads, new directories, deletions and renames must match.',
  }),
  works({
    name: 'PathDenyFilter',
    key: 'pathDenyFilter',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'PathDenyFilter regex [NC]|none',
    defaultText: 'none',
    parse: filterParameter,
    summary: 'Names of uploads, new directories, deletions and renames must not match.',
  }),
  works({
    name: 'HideFiles',
    key: 'hideFiles',
    merge: 'append',
    module,
    contexts: Df,
    syntax: 'HideFiles [!]regex|none [user|group|class expression]',
    defaultText: 'none',
    parse: hideFiles,
    summary: 'Leaves matching names out of listings.',
  }),
  works({
    name: 'HideUser',
    key: 'hideUser',
    merge: 'append',
    module,
    contexts: ADf,
    syntax: 'HideUser name|~',
    defaultText: 'none',
    parse: (input) => [oneName(input)],
    summary: "Leaves a user's files out of listings; `~` is the user who is logged in.",
  }),
  works({
    name: 'HideGroup',
    key: 'hideGroup',
    merge: 'append',
    module,
    contexts: ADf,
    syntax: 'HideGroup name|~',
    defaultText: 'none',
    parse: (input) => [oneName(input)],
    summary: "Leaves a group's files out of listings; `~` is the group of the user who is logged in.",
  }),
  works({
    name: 'HideNoAccess',
    key: 'hideNoAccess',
    merge: 'replace',
    module,
    contexts: ADf,
    syntax: 'HideNoAccess on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Leaves files the user may not read out of listings.',
  }),
  works({
    name: 'UserOwner',
    key: 'userOwner',
    merge: 'replace',
    module,
    contexts: ADf,
    syntax: 'UserOwner name',
    defaultText: 'none',
    parse: oneName,
    summary: 'Owner of new files and directories; without effect in .ftpaccess, which users write.',
  }),
  works({
    name: 'GroupOwner',
    key: 'groupOwner',
    merge: 'replace',
    module,
    contexts: ADf,
    syntax: 'GroupOwner name|~',
    defaultText: 'none',
    parse: oneName,
    summary: 'Group of new files and directories.',
  }),
  works({
    name: 'DisplayConnect',
    key: 'displayConnect',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'DisplayConnect path|none',
    defaultText: 'none',
    parse: absolutePathOrNone,
    summary: 'File shown before the banner.',
  }),
  works({
    name: 'DisplayChdir',
    key: 'displayChdir',
    merge: 'replace',
    module,
    contexts: SVGADf,
    syntax: 'DisplayChdir file [on|off]',
    defaultText: 'none',
    parse: displayChdir,
    summary: 'File shown on entering a directory; `on` shows it again only after it changed.',
  }),
  works({
    name: 'DisplayQuit',
    key: 'displayQuit',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'DisplayQuit path|none',
    defaultText: 'none',
    parse: displayPath,
    summary: 'File shown instead of the answer to QUIT.',
  }),
  works({
    name: 'DisplayReadme',
    key: 'displayReadme',
    merge: 'append',
    module: 'mod_readme',
    contexts: SVGADf,
    syntax: 'DisplayReadme pattern',
    defaultText: 'none',
    parse: (input) => [oneName(input)],
    summary: 'Tells on login and CWD when matching files changed last.',
  }),
];
