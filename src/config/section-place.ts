/** Which sections and directives may stand where, and how that place is named in messages. */
import type { Context, DirectiveRow } from './directive-row.ts';
import type { SectionName } from './syntax-tree.ts';

/** Where nodes are being read. */
export interface Place {
  readonly context: Context;
  /** As in `directive not allowed in <VirtualHost> context`. */
  readonly label: string;
  readonly sections: readonly SectionName[];
  /** Inside <IfUser> and its kin: what is fixed at start cannot depend on who logs in. */
  readonly conditional: boolean;
}

const CONDITIONALS: readonly SectionName[] = ['IfClass', 'IfUser', 'IfGroup', 'IfAuthenticated'];
const SERVER: readonly SectionName[] = ['Anonymous', 'Directory', 'Limit', ...CONDITIONALS];

function place(context: Context, label: string, sections: readonly SectionName[]): Place {
  return { context, label, sections, conditional: false };
}

/** Places by the section that opens them; `server` is the file's top level. */
export const PLACES = {
  server: place('S', 'server config', [...SERVER, 'VirtualHost', 'Global', 'Class']),
  VirtualHost: place('V', '<VirtualHost>', SERVER),
  Global: place('G', '<Global>', [...SERVER, 'Class']),
  Anonymous: place('A', '<Anonymous>', ['Directory', 'Limit', ...CONDITIONALS]),
  Directory: place('D', '<Directory>', ['Limit']),
  Limit: place('L', '<Limit>', []),
  Class: place('C', '<Class>', []),
  ftpaccess: place('f', '.ftpaccess', ['Limit']),
} as const;

/** The inside of a conditional section in this place: its directives are those of the server around it. */
export function conditionalPlace(outer: Place, name: SectionName): Place {
  const sections = outer.sections.filter(
    (section) => section === 'Anonymous' || section === 'Directory' || section === 'Limit',
  );
  return { context: outer.context, label: `<${name}>`, sections, conditional: true };
}

/** Whether a directive may stand here. */
export function allowsDirective(where: Place, row: DirectiveRow): boolean {
  if (!row.contexts.includes(where.context)) return false;
  return !where.conditional || row.contexts.some((context) => 'VGAD'.includes(context));
}
