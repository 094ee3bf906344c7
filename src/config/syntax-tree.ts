/** What the parser makes of a configuration: directives and sections with their places. */
import type { SourceLocation } from './server-config.ts';

export interface DirectiveNode {
  readonly kind: 'directive';
  /** As written. */
  readonly name: string;
  readonly args: readonly string[];
  readonly location: SourceLocation;
}

export type SectionName =
  | 'VirtualHost'
  | 'Global'
  | 'Anonymous'
  | 'Directory'
  | 'Limit'
  | 'Class'
  | 'IfClass'
  | 'IfUser'
  | 'IfGroup'
  | 'IfAuthenticated';

export interface SectionNode {
  readonly kind: 'section';
  readonly name: SectionName;
  readonly args: readonly string[];
  readonly location: SourceLocation;
  readonly children: readonly ConfigNode[];
}

export type ConfigNode = DirectiveNode | SectionNode;

const SECTION_NAMES: readonly SectionName[] = [
  'VirtualHost',
  'Global',
  'Anonymous',
  'Directory',
  'Limit',
  'Class',
  'IfClass',
  'IfUser',
  'IfGroup',
  'IfAuthenticated',
];

const byLowerCase = new Map(SECTION_NAMES.map((name) => [name.toLowerCase(), name]));

/** The section a tag names, in the spelling of the documentation; null when there is none of that name. */
export function sectionNamed(name: string): SectionName | null {
  return byLowerCase.get(name.toLowerCase()) ?? null;
}
