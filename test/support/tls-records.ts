/** Checks of bytes as they went over the wire. */
import assert from 'node:assert/strict';

/** The bytes are whole TLS records (RFC 8446, section 5.1), a handshake first. */
export function assertTlsRecords(bytes: Buffer): void {
  assert.equal(bytes[0], 22, 'the first record is not a handshake');
  let at = 0;
  while (at < bytes.length) {
    const type = bytes[at] ?? 0;
    assert.ok(type >= 20 && type <= 23 && bytes[at + 1] === 3, `no TLS record at byte ${at}`);
    at += 5 + bytes.readUInt16BE(at + 3);
  }
  assert.equal(at, bytes.length);
}
