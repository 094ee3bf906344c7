/** The options column of OpenSSH's authorized_keys lines (sshd(8), AUTHORIZED_KEYS FILE FORMAT). */

export interface AuthorizedKeyOptions {
  /** Patterns of from=, in order, `!` kept; null: any address. */
  readonly from: readonly string[] | null;
  /** Milliseconds since the epoch; the key is refused from then on. */
  readonly expires: number | null;
  /** The key is that of an authority whose certificates are accepted, and no user's. */
  readonly certAuthority: boolean;
  /** principals= of a cert-authority line; null: the user's name must be in the certificate. */
  readonly principals: readonly string[] | null;
  /** Security keys: whether the user must have touched the token. */
  readonly touchRequired: boolean;
  /** Security keys: whether the token must have verified its user. */
  readonly verifyRequired: boolean;
}

export const NO_OPTIONS: AuthorizedKeyOptions = Object.freeze({
  from: null,
  expires: null,
  certAuthority: false,
  principals: null,
  touchRequired: false,
  verifyRequired: false,
});

/** Restrict or allow what this server does not have in any case: terminals, forwarding, start-up files. */
const WITHOUT_EFFECT = new Set([
  'restrict',
  'pty',
  'no-pty',
  'port-forwarding',
  'no-port-forwarding',
  'agent-forwarding',
  'no-agent-forwarding',
  'x11-forwarding',
  'no-x11-forwarding',
  'user-rc',
  'no-user-rc',
]);
/** The same, with a value. */
const WITHOUT_EFFECT_VALUES = new Set(['permitopen', 'permitlisten', 'tunnel']);

/** What sshd(8) knows besides; nothing here could enforce it. */
const UNENFORCEABLE = new Set([
  'command',
  'environment',
  'pty',
  'no-pty',
  'tunnel',
  'permitopen',
  'permitlisten',
]);

const MAX_OPTIONS = 64;
const OPTION = /^([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?/;

interface Draft {
  from: readonly string[] | null;
  expires: number | null;
  certAuthority: boolean;
  principals: readonly string[] | null;
  touchRequired: boolean;
  verifyRequired: boolean;
}

/**
 * Reads the options at the start of a line.
 * @returns them and what follows, or why the line is refused: an option that cannot be honoured refuses its key
 */
export function parseKeyOptions(
  line: string,
): { readonly options: AuthorizedKeyOptions; readonly rest: string } | string {
  const draft: Draft = { ...NO_OPTIONS, touchRequired: true };
  let rest = line;
  for (let count = 0; count < MAX_OPTIONS; count += 1) {
    const match = OPTION.exec(rest);
    if (match === null) return 'malformed options';
    const problem = apply(draft, match[1]!.toLowerCase(), match[2]?.replace(/\\"/g, '"'));
    if (problem !== null) return problem;
    rest = rest.slice(match[0].length);
    if (rest.startsWith(',')) {
      rest = rest.slice(1);
      continue;
    }
    if (!/^\s/.test(rest)) return 'malformed options';
    if (draft.principals !== null && !draft.certAuthority)
      return "option 'principals' without 'cert-authority'";
    return { options: draft, rest: rest.trimStart() };
  }
  return 'too many options';
}

function apply(draft: Draft, name: string, value: string | undefined): string | null {
  if (value === undefined) {
    if (name === 'cert-authority') draft.certAuthority = true;
    else if (name === 'no-touch-required') draft.touchRequired = false;
    else if (name === 'verify-required') draft.verifyRequired = true;
    else if (!WITHOUT_EFFECT.has(name)) return unhonoured(name);
    return null;
  }
  switch (name) {
    case 'from':
      draft.from = [...(draft.from ?? []), ...listOf(value)];
      return draft.from.length === 0 ? "option 'from' is empty" : null;
    case 'principals':
      draft.principals = listOf(value);
      return draft.principals.length === 0 ? "option 'principals' is empty" : null;
    case 'expiry-time': {
      const time = parseExpiry(value);
      if (time === null) return "option 'expiry-time' is malformed";
      draft.expires = draft.expires === null ? time : Math.min(draft.expires, time);
      return null;
    }
    default:
      return WITHOUT_EFFECT_VALUES.has(name) ? null : unhonoured(name);
  }
}

/**
 * Only names from sshd(8) are repeated: the file may be a user's link to one full of secrets, and the reason goes to a log.
 */
function unhonoured(name: string): string {
  return UNENFORCEABLE.has(name) ? `option '${name}' cannot be honoured` : 'unknown option';
}

function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** YYYYMMDD[HHMM[SS]][Z], local time without the Z. Milliseconds since the epoch, null where malformed. */
function parseExpiry(value: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z)?$/i.exec(value);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((digits) => Number(digits ?? 0));
  const isUtc = match[7] !== undefined;
  const parts = [year!, month! - 1, day!, hour!, minute!, second!] as const;
  const date = isUtc ? new Date(Date.UTC(...parts)) : new Date(...parts);
  // JavaScript counts the 31st of February on into March.
  const sameDay = isUtc ? date.getUTCDate() : date.getDate();
  const sameMonth = isUtc ? date.getUTCMonth() : date.getMonth();
  const inRange = hour! < 24 && minute! < 60 && second! < 60;
  return inRange && sameDay === day && sameMonth === parts[1] ? date.getTime() : null;
}
