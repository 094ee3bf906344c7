/** Text that is safe in a log line: nothing a peer sends can start a new line or move a terminal's cursor. */

// C0 and C1 controls, DEL, Unicode line separators and bidirectional overrides.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const UNSAFE_ALL = new RegExp(UNSAFE, 'g');

/** Escapes control characters as `\xNN` or `\uNNNN`; text without them comes back as it is. */
export function escapeControls(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeOne) : text;
}

function escapeOne(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\x${code.toString(16).padStart(2, '0')}`;
}

/** White space and control characters become `_`, one for one: the file name field of an xferlog line. */
export function underscoreBlanks(text: string): string {
  return text.replace(/\s/g, '_').replace(UNSAFE_ALL, '_');
}
