/** The command groups of `<Limit>` as one table (core reference, section 4.1). */

/**
 * RNFR stands under WRITE: the documentation lists it under DIRS, the original classifies it as WRITE, and a
 * rename begins with it.
 */
export const LIMIT_GROUPS: Readonly<Record<'DIRS' | 'READ' | 'WRITE', readonly string[]>> = {
  DIRS: ['CDUP', 'CWD', 'LIST', 'MDTM', 'MLSD', 'MLST', 'NLST', 'PWD', 'STAT', 'XCUP', 'XCWD', 'XPWD'],
  READ: ['RETR', 'SIZE'],
  WRITE: [
    ...['APPE', 'DELE', 'MFF', 'MFMT', 'MKD', 'RMD', 'RNFR', 'RNTO'],
    ...['STOR', 'STOU', 'XMKD', 'XRMD'],
    // SFTP's own (sftp-directives, section 3). The manual lists SYMLINK under READ too; a read-only site allows READ.
    ...['HARDLINK', 'LOCK', 'SETSTAT', 'SYMLINK'],
  ],
};

/** What `<Limit ALL>` does not cover. OPEN and REALPATH are what SFTP begins RETR, STOR and everything else with. */
export const OUTSIDE_LIMIT_ALL: readonly string[] = [
  ...['LOGIN', 'EPRT', 'EPSV', 'PASV', 'PORT', 'PROT', 'OPTS'],
  ...['OPEN', 'REALPATH'],
];

/** The groups a verb (upper case) belongs to. */
export function limitGroupsOf(verb: string): readonly string[] {
  return Object.entries(LIMIT_GROUPS)
    .filter(([, members]) => members.includes(verb))
    .map(([group]) => group);
}

/** Whether `<Limit ALL>` covers a verb (upper case). */
export function inLimitAll(verb: string): boolean {
  return !OUTSIDE_LIMIT_ALL.includes(verb);
}
