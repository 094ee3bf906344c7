/** docs/directives.md, made from the tables and nothing else. */
import type { Context, DirectiveRow } from './directive-row.ts';
import type { ModuleInfo } from './modules.ts';

const CONTEXT_NAMES: readonly (readonly [Context, string])[] = [
  ['S', 'server'],
  ['V', '`<VirtualHost>`'],
  ['G', '`<Global>`'],
  ['A', '`<Anonymous>`'],
  ['D', '`<Directory>`'],
  ['L', '`<Limit>`'],
  ['C', '`<Class>`'],
  ['f', '.ftpaccess'],
];

const HEAD = `# Directives

Generated from the tables in \`src/config/directives/\` by \`npm run docs\`; a test keeps it true. Names are matched
without regard to case. An unknown directive, or a known one with wrong parameters or in the wrong place, stops the
start with file and line. \`lockgate check -c FILE\` lists everything in a configuration that is refused or has no
effect.

Each line: syntax, default, contexts, and what it does. Contexts: ${CONTEXT_NAMES.map(([letter, name]) => `${letter} ${name}`).join(', ')}.
Sections of mod_ifsession take what the server around them takes, unless it is fixed at start.

Three things can be said of a directive:

- it works;
- it is accepted and has no effect here, because leaving it out weakens nobody's security and shows nobody's data;
- it is refused, because obeying it in part would be worse than saying so.`;

/** The whole page. `modules` are those that work; their order is the order of the page, other modules follow by name. */
export function renderDirectiveDocs(rows: readonly DirectiveRow[], modules: readonly ModuleInfo[]): string {
  const working = modules.filter((module) => rows.some((row) => row.module === module.name));
  const others = [...new Set(rows.map((row) => row.module))]
    .filter((name) => !modules.some((module) => module.name === name))
    .toSorted();
  const parts = [
    HEAD,
    ...working.map((module) => renderModule(rows, module.name, module.summary)),
    '# Of other modules',
    ...others.map((name) => renderModule(rows, name, null)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function renderModule(rows: readonly DirectiveRow[], name: string, summary: string | null): string {
  const own = rows.filter((row) => row.module === name).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const parts = [`## ${name}`];
  if (summary !== null) parts.push(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`.replace(/^</, '\\<'));
  const works = own.filter((row) => row.status === 'works' || row.status === 'builder');
  if (works.length > 0) parts.push(works.map(renderWorking).join('\n'));
  parts.push(...renderReasons('Accepted, no effect:', own, 'no-effect'));
  parts.push(...renderReasons('Refused:', own, 'refused'));
  return parts.join('\n\n');
}

function renderWorking(row: DirectiveRow): string {
  const summary = row.status === 'works' || row.status === 'builder' ? row.summary : '';
  return `- ${code(row.syntax)} (${defaultOf(row)}; ${contextsOf(row)})${aliasesOf(row)}: ${escape(summary)}`;
}

/** Rows of one status; names that share a reason and have nothing else to say stand in one line. */
function renderReasons(
  heading: string,
  rows: readonly DirectiveRow[],
  status: 'no-effect' | 'refused',
): string[] {
  const groups = new Map<string, string[]>();
  for (const row of rows) {
    if (row.status !== status) continue;
    const reason = `${escape(row.because)}${exceptionOf(row)}`;
    const bare = row.syntax === `${row.name} ...`;
    const subject = bare ? code(row.name) : `${code(row.syntax)} (${defaultOf(row)}; ${contextsOf(row)})`;
    const group = groups.get(reason) ?? [];
    groups.set(reason, [...group, `${subject}${aliasesOf(row)}`]);
  }
  if (groups.size === 0) return [];
  const lines = [...groups].map(([reason, subjects]) => `- ${subjects.join(', ')}: ${reason}`);
  return [heading, lines.join('\n')];
}

function exceptionOf(row: DirectiveRow): string {
  return row.status === 'refused' && row.acceptsWhen !== undefined
    ? '; accepted where the value asks for nothing'
    : '';
}

function contextsOf(row: DirectiveRow): string {
  return CONTEXT_NAMES.map(([letter]) => letter)
    .filter((letter) => row.contexts.includes(letter))
    .join(' ');
}

function defaultOf(row: DirectiveRow): string {
  return `default ${code(row.defaultText)}`;
}

function aliasesOf(row: DirectiveRow): string {
  const aliases = row.aliases ?? [];
  return aliases.length === 0 ? '' : `, also ${aliases.map(code).join(', ')}`;
}

function code(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** Prose outside code spans: angle brackets and asterisks are text. */
function escape(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replace(/[<*]/g, '\\$&')))
    .join('');
}
