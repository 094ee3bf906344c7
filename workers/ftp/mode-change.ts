/** File modes as chmod(1) takes them: octal, or clauses like `u+x,go=r`. Pure. */

const SPECIAL_BITS = 0o7000;
const OCTAL = /^[0-7]{1,4}$/;
const CLAUSE = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/;

/** The new mode for a file that has `current`; null when `text` is no mode. `umask` applies where no class is named. */
export function changedMode(
  text: string,
  current: number,
  isDirectory: boolean,
  umask: number,
): number | null {
  if (OCTAL.test(text)) return Number.parseInt(text, 8);
  let mode = current & 0o7777;
  for (const clause of text.split(',')) {
    const match = CLAUSE.exec(clause);
    if (match === null) return null;
    const named = match[1] ?? '';
    const classes = named === '' || named.includes('a') ? 'ugo' : named;
    const masked = named === '' ? umask : 0;
    for (const [, operator, letters] of (match[2] ?? '').matchAll(/([-+=])([rwxXst]*)/g)) {
      const bits = bitsFor(classes, letters ?? '', mode, isDirectory) & ~masked;
      mode = apply(mode, operator ?? '', bits, classes);
    }
  }
  return mode;
}

/** Whether `text` is a mode at all. */
export function isMode(text: string): boolean {
  return changedMode(text, 0, false, 0) !== null;
}

function apply(mode: number, operator: string, bits: number, classes: string): number {
  if (operator === '+') return mode | bits;
  if (operator === '-') return mode & ~bits;
  return (mode & ~classBits(classes)) | bits;
}

/** All permission bits of the classes; `=` keeps the special bits of a mode, as chmod(1) does for directories. */
function classBits(classes: string): number {
  let bits = 0;
  for (const name of classes) bits |= 0o7 << shiftOf(name);
  return bits & ~SPECIAL_BITS;
}

function bitsFor(classes: string, letters: string, mode: number, isDirectory: boolean): number {
  let bits = 0;
  for (const letter of letters) {
    if (letter === 's') bits |= (classes.includes('u') ? 0o4000 : 0) | (classes.includes('g') ? 0o2000 : 0);
    else if (letter === 't') bits |= 0o1000;
    else for (const name of classes) bits |= permission(letter, mode, isDirectory) << shiftOf(name);
  }
  return bits;
}

/** `X`: x for directories and for files that somebody may execute already. */
function permission(letter: string, mode: number, isDirectory: boolean): number {
  switch (letter) {
    case 'r':
      return 4;
    case 'w':
      return 2;
    case 'X':
      return isDirectory || (mode & 0o111) !== 0 ? 1 : 0;
    default:
      return 1;
  }
}

function shiftOf(name: string): number {
  if (name === 'u') return 6;
  return name === 'g' ? 3 : 0;
}
