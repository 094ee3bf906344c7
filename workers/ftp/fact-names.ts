/** Facts of MLSD and MLST (RFC 3659, section 7.5) in the order FEAT and the answers list them. */
export const MLST_FACT_NAMES: readonly string[] = [
  'modify',
  'perm',
  'size',
  'type',
  'unique',
  'UNIX.group',
  'UNIX.groupname',
  'UNIX.mode',
  'UNIX.owner',
  'UNIX.ownername',
];

/** The known facts among `wanted` (without regard to case), in our order; unknown ones do not count (section 7.9). */
export function selectFacts(wanted: readonly string[]): string[] {
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  return MLST_FACT_NAMES.filter((name) => names.has(name.toLowerCase()));
}
