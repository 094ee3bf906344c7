/**
 * crypt_r(3) of the system's libcrypt through node:ffi. It knows every scheme the system's own logins use
 * ($1$ $5$ $6$ $2a$ $2b$ $2y$ $y$ $gy$ and DES), at the speed of C. A call blocks its thread for as long as the hash
 * takes, so only the password worker makes it.
 */
import * as ffi from 'node:ffi';

/** `crypt_r(phrase, setting)`; null where the library refuses the setting. */
export type NativeCrypt = (phrase: string, setting: string) => string | null;

/**
 * struct crypt_data is 32 KiB in libxcrypt and 128 KiB and a bit in the libcrypt of old glibc; the larger one serves
 * both. It has to be zero before the first use, and it holds derived key material afterwards.
 */
const CRYPT_DATA_SIZE = 136 * 1024;

const CANDIDATES = ['libcrypt.so.1', 'libcrypt.so.2'];

let loaded: NativeCrypt | null | undefined;

/**
 * Loads libcrypt once per thread.
 * @returns the function, or null where the system has no libcrypt or this Node no FFI
 */
export function loadNativeCrypt(): NativeCrypt | null {
  if (loaded === undefined) {
    loaded = null;
    for (const name of CANDIDATES) {
      loaded = openLibrary(name);
      if (loaded !== null) break;
    }
  }
  return loaded;
}

function openLibrary(name: string): NativeCrypt | null {
  let crypt;
  try {
    crypt = ffi.dlopen(name, {
      crypt_r: { arguments: ['string', 'string', 'pointer'], return: 'pointer' },
    }).functions.crypt_r;
  } catch {
    // Not on this system: the caller tries the next name, then the TypeScript schemes.
    return null;
  }
  const data = Buffer.alloc(CRYPT_DATA_SIZE);
  const pointer = ffi.getRawPointer(data);
  return (phrase, setting) => {
    // A C string ends at the first NUL: `secret\0x` must not pass for `secret`.
    if (phrase.includes('\0') || setting.includes('\0')) return null;
    data.fill(0);
    try {
      const result = crypt(phrase, setting, pointer);
      if (result === 0n) return null;
      const text = ffi.toString(result);
      // libxcrypt answers `*0` or `*1` for a setting it does not know.
      return text === null || text.startsWith('*') ? null : text;
    } finally {
      data.fill(0);
    }
  };
}
