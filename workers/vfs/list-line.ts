/** Lines of LIST in the two styles clients know: ls -l and the Windows one (core reference, section 7). */

/** What a line shows of one entry. */
export interface ListedEntry {
  readonly name: string;
  /** st_mode with the file type bits. */
  readonly mode: number;
  readonly links: number;
  readonly user: string;
  readonly group: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly linkTarget: string | null;
}

export interface ListLineStyle {
  readonly style: 'Unix' | 'Windows';
  readonly gmt: boolean;
  readonly humanSizes: boolean;
  /** Milliseconds since the epoch: what is older than 180 days shows its year. */
  readonly now: number;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const OLD_MS = 180 * 24 * 3600 * 1000;
const MINUTE_MS = 60_000;

const TYPE_MASK = 0o170000;
const TYPE_LETTERS: Readonly<Record<number, string>> = {
  0o140000: 's',
  0o120000: 'l',
  0o100000: '-',
  0o060000: 'b',
  0o040000: 'd',
  0o020000: 'c',
  0o010000: 'p',
};

/** `drwxr-xr-x`, with s, S, t and T for the set-id and sticky bits. */
export function modeText(mode: number): string {
  const type = TYPE_LETTERS[mode & TYPE_MASK] ?? '-';
  const triple = (bits: number, special: boolean, on: string): string => {
    const execute = (bits & 1) !== 0;
    const last = special ? (execute ? on : on.toUpperCase()) : execute ? 'x' : '-';
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${last}`;
  };
  return (
    type +
    triple((mode >> 6) & 7, (mode & 0o4000) !== 0, 's') +
    triple((mode >> 3) & 7, (mode & 0o2000) !== 0, 's') +
    triple(mode & 7, (mode & 0o1000) !== 0, 't')
  );
}

/** `1.5K` as ls -h and ProFTPD show sizes. */
export function humanSize(size: number): string {
  if (size < 1024) return String(size);
  let value = size;
  let unit = -1;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${'KMGTP'[unit]}`;
}

/** Makes lines for one listing; remembers the last few texts, as neighbours mostly share mode and minute. */
export class ListLineFormatter {
  readonly #style: ListLineStyle;
  readonly #modes = new Map<number, string>();
  #minute = Number.NaN;
  #minuteText = '';

  constructor(style: ListLineStyle) {
    this.#style = style;
  }

  /** The line without its end; the name is expected without control characters. */
  format(entry: ListedEntry): string {
    return this.#style.style === 'Windows' ? this.#windows(entry) : this.#unix(entry);
  }

  #unix(entry: ListedEntry): string {
    const size = this.#style.humanSizes ? humanSize(entry.size) : String(entry.size);
    const target = entry.linkTarget === null ? '' : ` -> ${entry.linkTarget}`;
    return (
      `${this.#mode(entry.mode)} ${String(entry.links).padStart(3)} ${entry.user.padEnd(8)} ` +
      `${entry.group.padEnd(8)} ${size.padStart(8)} ${this.#date(entry.time)} ${entry.name}${target}`
    );
  }

  #windows(entry: ListedEntry): string {
    const isDirectory = (entry.mode & TYPE_MASK) === 0o040000;
    const middle = isDirectory ? '       <DIR>          ' : `${String(entry.size).padStart(21)} `;
    return `${this.#date(entry.time)}${middle}${entry.name}`;
  }

  #mode(mode: number): string {
    let text = this.#modes.get(mode);
    if (text === undefined) {
      text = modeText(mode);
      this.#modes.set(mode, text);
    }
    return text;
  }

  #date(time: number): string {
    const minute = Math.floor(time / MINUTE_MS);
    if (minute === this.#minute) return this.#minuteText;
    this.#minute = minute;
    const parts = dateParts(minute * MINUTE_MS, this.#style.gmt);
    this.#minuteText =
      this.#style.style === 'Windows' ? windowsDate(parts) : unixDate(parts, time, this.#style.now);
    return this.#minuteText;
  }
}

interface DateParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

function dateParts(time: number, gmt: boolean): DateParts {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return dateParts(0, gmt);
  if (gmt) {
    return {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth(),
      day: date.getUTCDate(),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
    };
  }
  return {
    year: date.getFullYear(),
    month: date.getMonth(),
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
  };
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

function unixDate(parts: DateParts, time: number, now: number): string {
  const day = `${MONTHS[parts.month]} ${String(parts.day).padStart(2)}`;
  if (now - time > OLD_MS) return `${day} ${String(parts.year).padStart(5)}`;
  return `${day} ${two(parts.hour)}:${two(parts.minute)}`;
}

function windowsDate(parts: DateParts): string {
  const hour = parts.hour % 12 === 0 ? 12 : parts.hour % 12;
  const half = parts.hour < 12 ? 'AM' : 'PM';
  return `${two(parts.month + 1)}-${two(parts.day)}-${two(parts.year % 100)}  ${two(hour)}:${two(parts.minute)}${half}`;
}

/** A line is one entry: control characters in a name, CR and LF above all, show as `?`, or in octal with -B. */
export function printableName(name: string, escape: boolean): string {
  if (escape) {
    return name.replace(/[\x00-\x1f\x7f\\]/g, (character) =>
      character === '\\' ? '\\\\' : `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
    );
  }
  return /[\x00-\x1f\x7f]/.test(name) ? name.replace(/[\x00-\x1f\x7f]/g, '?') : name;
}
