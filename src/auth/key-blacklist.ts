/**
 * SFTPKeyBlacklist: fingerprints of keys that anybody can have, those made by Debian's broken OpenSSL of 2006 to 2008
 * (CVE-2008-0166). Two formats are known by their content: the binary dictionary `SSH-FP00` that mod_sftp ships, and
 * Debian's lists with the last 20 hexadecimal digits of a fingerprint on each line. Both go by MD5.
 *
 *   byte[8] "SSH-FP00" | u8 index bits (16) | u8 offset bits (16) | u8 fingerprint bits | u24 records | u16 shift
 *   u16[65536] index: entry i + (i * records >> 16) - shift is the first record whose fingerprint starts with i
 *   the records, sorted: the fingerprint's bytes behind the first two
 */

const MAGIC = Buffer.from('SSH-FP00', 'latin1');
const HEADER_BYTES = 16;
const INDEX_ENTRIES = 65_536;
const INDEX_BYTES = INDEX_ENTRIES * 2;
const MD5_BYTES = 16;
const TEXT_DIGITS = 20;
/** Of the file; mod_sftp's has about 2 MiB. */
export const MAX_BLACKLIST_BYTES = 32 * 1024 * 1024;

export interface KeyBlacklist {
  /** @param md5 the MD5 fingerprint of the key's blob */
  has(md5: Buffer): boolean;
}

/** Null: the bytes are in neither format. */
export function parseKeyBlacklist(bytes: Buffer): KeyBlacklist | null {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC) ? parseDictionary(bytes) : parseText(bytes);
}

function parseDictionary(bytes: Buffer): KeyBlacklist | null {
  if (bytes.length < HEADER_BYTES + INDEX_BYTES) return null;
  const fingerprintBits = bytes[10]!;
  const count = bytes.readUIntBE(11, 3);
  const shift = bytes.readUInt16BE(14);
  const recordBytes = (fingerprintBits >> 3) - 2;
  if (bytes[8] !== 16 || bytes[9] !== 16 || fingerprintBits % 8 !== 0) return null;
  if (recordBytes < 1 || recordBytes > MD5_BYTES - 2 || count === 0) return null;
  const records = bytes.subarray(HEADER_BYTES + INDEX_BYTES);
  if (records.length !== count * recordBytes) return null;

  const firstRecord = (prefix: number): number => {
    if (prefix >= INDEX_ENTRIES) return count;
    const expected = Math.floor((prefix * count) / INDEX_ENTRIES) - shift;
    return bytes.readUInt16BE(HEADER_BYTES + prefix * 2) + expected;
  };
  let previous = 0;
  for (let prefix = 0; prefix <= INDEX_ENTRIES; prefix += 1) {
    const first = firstRecord(prefix);
    if (first < previous || first > count) return null;
    previous = first;
  }
  return {
    has(md5) {
      if (md5.length !== MD5_BYTES) return false;
      const prefix = md5.readUInt16BE(0);
      const wanted = md5.subarray(2, 2 + recordBytes);
      const end = firstRecord(prefix + 1);
      for (let record = firstRecord(prefix); record < end; record += 1) {
        const at = record * recordBytes;
        if (records.subarray(at, at + recordBytes).equals(wanted)) return true;
      }
      return false;
    },
  };
}

function parseText(bytes: Buffer): KeyBlacklist | null {
  const digits = new Set<string>();
  for (const line of bytes.toString('latin1').split('\n')) {
    const text = line.trim().toLowerCase();
    if (text === '' || text.startsWith('#')) continue;
    if (!/^[0-9a-f]{20}$/.test(text)) return null;
    digits.add(text);
  }
  if (digits.size === 0) return null;
  return { has: (md5) => digits.has(md5.toString('hex').slice(-TEXT_DIGITS)) };
}
