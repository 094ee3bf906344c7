/** SFTPAcceptEnv: which variables of `env` requests are let through. */

/** Never, whatever the directive says: they change how programs run or say what this server says about the session. */
const PROHIBITED: readonly RegExp[] = [
  /^DYLD_LIBRARY_PATH$/i,
  /^HOME$/i,
  /^LD_CONFIG/i,
  /^LD_LIBMAP$/i,
  /^LD_LIBRARY_PATH$/i,
  /^LD_NOCONFIG/i,
  /^LD_PRELOAD$/i,
  /^LD_RUN_PATH$/i,
  /^LIBPATH$/i,
  /^PATH$/i,
  /^SHLIB_PATH$/i,
  /^TMP$/i,
  /^TMPDIR$/i,
  /^TZ$/i,
  /^USER$/i,
  /^SFTP/i,
];

/** A name as programs use them; others would only serve to confuse a log. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** @param patterns - names with `*` and `?` */
export function acceptsVariable(patterns: readonly string[], name: string): boolean {
  if (!NAME.test(name) || PROHIBITED.some((pattern) => pattern.test(name))) return false;
  return patterns.some((pattern) => wildcard(pattern).test(name));
}

const compiled = new Map<string, RegExp>();

function wildcard(pattern: string): RegExp {
  let found = compiled.get(pattern);
  if (found === undefined) {
    // Runs of `*` say no more than one, and would make matching slow.
    const source = pattern
      .replace(/\*+/g, '*')
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    found = new RegExp(`^${source}$`);
    compiled.set(pattern, found);
  }
  return found;
}
