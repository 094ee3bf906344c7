/** Dictionaries of weak keys in the format of mod_sftp's blacklist.dat. */

const RECORD_BYTES = 4;

/** @param fingerprints MD5 of key blobs */
export function keyDictionary(fingerprints: readonly Buffer[], shift = 1000): Buffer {
  const sorted = [...fingerprints].toSorted((a, b) => Buffer.compare(a, b));
  const header = Buffer.alloc(16);
  header.write('SSH-FP00', 0, 'latin1');
  header[8] = 16;
  header[9] = 16;
  header[10] = (RECORD_BYTES + 2) * 8;
  header.writeUIntBE(sorted.length, 11, 3);
  header.writeUInt16BE(shift, 14);
  const index = Buffer.alloc(65_536 * 2);
  let first = 0;
  for (let prefix = 0; prefix < 65_536; prefix += 1) {
    while (first < sorted.length && sorted[first]!.readUInt16BE(0) < prefix) first += 1;
    index.writeUInt16BE(first - Math.floor((prefix * sorted.length) / 65_536) + shift, prefix * 2);
  }
  return Buffer.concat([header, index, ...sorted.map((one) => one.subarray(2, 2 + RECORD_BYTES))]);
}
