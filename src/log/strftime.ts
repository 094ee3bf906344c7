/** strftime(3) in the C locale, as LogFormat's `%{FORMAT}t` and Display files want it. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

export function shortDay(date: Date): string {
  return DAYS[date.getDay()]!.slice(0, 3);
}

export function shortMonth(date: Date): string {
  return MONTHS[date.getMonth()]!.slice(0, 3);
}

export function pad(value: number, width = 2, fill = '0'): string {
  return String(value).padStart(width, fill);
}

/** `HH:MM:SS` in local time. */
export function clock(date: Date): string {
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** `YYYY-MM-DD HH:MM:SS,mmm` in local time: the stamp of SystemLog, TLSLog and TraceLog. */
export function logStamp(date: Date): string {
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${clock(date)},${pad(date.getMilliseconds(), 3)}`;
}

/** `+hhmm` east of Greenwich. */
export function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}${pad(size % 60)}`;
}

function dayOfYear(date: Date): number {
  const day = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return (day - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000 + 1;
}

const CONVERSIONS: Readonly<Record<string, (date: Date) => string>> = {
  a: shortDay,
  A: (date) => DAYS[date.getDay()]!,
  b: shortMonth,
  h: shortMonth,
  B: (date) => MONTHS[date.getMonth()]!,
  c: (date) =>
    `${shortDay(date)} ${shortMonth(date)} ${pad(date.getDate(), 2, ' ')} ${clock(date)} ${date.getFullYear()}`,
  C: (date) => pad(Math.floor(date.getFullYear() / 100)),
  d: (date) => pad(date.getDate()),
  D: (date) => `${pad(date.getMonth() + 1)}/${pad(date.getDate())}/${pad(date.getFullYear() % 100)}`,
  e: (date) => pad(date.getDate(), 2, ' '),
  F: (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`,
  H: (date) => pad(date.getHours()),
  I: (date) => pad(date.getHours() % 12 || 12),
  j: (date) => pad(dayOfYear(date), 3),
  k: (date) => pad(date.getHours(), 2, ' '),
  l: (date) => pad(date.getHours() % 12 || 12, 2, ' '),
  m: (date) => pad(date.getMonth() + 1),
  M: (date) => pad(date.getMinutes()),
  n: () => '\n',
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  r: (date) =>
    `${pad(date.getHours() % 12 || 12)}:${pad(date.getMinutes())}:${pad(date.getSeconds())} ${date.getHours() < 12 ? 'AM' : 'PM'}`,
  R: (date) => `${pad(date.getHours())}:${pad(date.getMinutes())}`,
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  S: (date) => pad(date.getSeconds()),
  t: () => '\t',
  T: clock,
  u: (date) => String(date.getDay() || 7),
  w: (date) => String(date.getDay()),
  x: (date) => `${pad(date.getMonth() + 1)}/${pad(date.getDate())}/${pad(date.getFullYear() % 100)}`,
  X: clock,
  y: (date) => pad(date.getFullYear() % 100),
  Y: (date) => String(date.getFullYear()),
  z: zoneOffset,
  '%': () => '%',
};

/** Formats local time; an unknown conversion is printed as it stands. */
export function strftime(format: string, date: Date): string {
  return format.replace(/%([a-zA-Z%])/g, (whole, letter: string) => CONVERSIONS[letter]?.(date) ?? whole);
}
