/** time-val of RFC 3659, section 2.3: `YYYYMMDDHHMMSS[.fraction]`, always UTC. */

/** Milliseconds since the epoch -> `YYYYMMDDHHMMSS`. */
export function formatTimeVal(milliseconds: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return '19700101000000';
  return date
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[-T:]/g, '');
}

/** The date a time-val names, null when it names none (`20240230...`, wrong length). A leap second counts as :59. */
export function parseTimeVal(text: string): Date | null {
  const match = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 60) return null;
  const fraction = match[7] === undefined ? 0 : Math.floor(Number(`0.${match[7]}`) * 1000);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, Math.min(second, 59), fraction);
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isReal ? date : null;
}
