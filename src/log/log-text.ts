/** Text that is safe in a log line: nothing a peer sends can start a new line or move a terminal's cursor. */

// C0 and C1 controls, DEL, Unicode line separators and bidirectional overrides.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
// The same and lone surrogates: bytes of names that are no UTF-8 (src/util/path-text.ts).
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;
const UNSAFE_ALL = new RegExp(UNSAFE, 'gu');

/** Escapes control characters as `\xNN` or `\uNNNN`, bytes that are no UTF-8 as `\xNN`; other text comes back as it is. */
export function escapeControls(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeOne) : text;
}

function escapeOne(character: string): string {
  const unit = character.charCodeAt(0);
  const code = unit >= 0xdc80 && unit <= 0xdcff ? unit - 0xdc00 : unit;
  return code > 0xff
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\x${code.toString(16).padStart(2, '0')}`;
}

/**
 * The same for the bytes in a line of JSON, where each is the escape of a lone surrogate (pairs are never escaped): a
 * reader's parser may refuse those. A backslash that is itself escaped begins no escape.
 */
export function escapeBytesInJson(line: string): string {
  if (!line.includes(String.raw`\ud`)) return line;
  return line.replace(/\\\\|\\udc([89a-f][0-9a-f])/g, (found, byte: string | undefined) =>
    byte === undefined ? found : `\\\\x${byte}`,
  );
}

/** White space and control characters become `_`, one for one: the file name field of an xferlog line. */
export function underscoreBlanks(text: string): string {
  return text.replace(/\s/g, '_').replace(CONTROLS, '_');
}
