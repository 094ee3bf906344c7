/**
 * The ciphers of TLS 1.2 in the order OpenSSL itself makes of a list, through `node:ffi` (SSL_CTX_get_ciphers(3)): Node
 * tells which ciphers exist, not in which order a list means them, and that order decides between two certificates.
 */

export interface OrderedCipher {
  /** By its IANA number. */
  readonly id: number;
  /** Which certificate it shows; null: another kind, or none. */
  readonly certificate: 'rsa' | 'ec' | null;
}

/** NID_auth_rsa and NID_auth_ecdsa (openssl/obj_mac.h). */
const CERTIFICATES: ReadonlyMap<number, 'rsa' | 'ec'> = new Map([
  [1046, 'rsa'],
  [1047, 'ec'],
]);
const NULL = 0n;
/** OpenSSL has fewer than 200. */
const MAX_CIPHERS = 1024;

function bind(ffi: typeof import('node:ffi')) {
  return ffi.dlopen(null, {
    TLS_method: { arguments: [], return: 'pointer' },
    SSL_CTX_new: { arguments: ['pointer'], return: 'pointer' },
    SSL_CTX_free: { arguments: ['pointer'], return: 'void' },
    SSL_CTX_set_cipher_list: { arguments: ['pointer', 'string'], return: 'i32' },
    SSL_CTX_get_ciphers: { arguments: ['pointer'], return: 'pointer' },
    OPENSSL_sk_num: { arguments: ['pointer'], return: 'i32' },
    OPENSSL_sk_value: { arguments: ['pointer', 'i32'], return: 'pointer' },
    SSL_CIPHER_get_protocol_id: { arguments: ['pointer'], return: 'u16' },
    SSL_CIPHER_get_auth_nid: { arguments: ['pointer'], return: 'i32' },
    ERR_clear_error: { arguments: [], return: 'void' },
  }).functions;
}

let library: ReturnType<typeof bind> | null | undefined;

function load(): ReturnType<typeof bind> | null {
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  if (ffi === undefined) return null;
  try {
    return bind(ffi);
  } catch (error) {
    // FFI forbidden by a permission flag, or a runtime that keeps OpenSSL's symbols to itself.
    if (error instanceof Error) return null;
    throw error;
  }
}

/**
 * @param list as the context gets it (OpenSSL's syntax)
 * @returns null where the library cannot be asked or knows no cipher of the list
 */
export function cipherOrder(list: string): readonly OrderedCipher[] | null {
  if (library === undefined) library = load();
  if (library === null) return null;
  const context = library.SSL_CTX_new(library.TLS_method());
  if (context === NULL) {
    library.ERR_clear_error();
    return null;
  }
  try {
    if (library.SSL_CTX_set_cipher_list(context, list) !== 1) {
      library.ERR_clear_error();
      return null;
    }
    const stack = library.SSL_CTX_get_ciphers(context);
    const count = Math.min(library.OPENSSL_sk_num(stack), MAX_CIPHERS);
    const ciphers: OrderedCipher[] = [];
    for (let index = 0; index < count; index += 1) {
      const cipher = library.OPENSSL_sk_value(stack, index);
      const certificate = CERTIFICATES.get(library.SSL_CIPHER_get_auth_nid(cipher)) ?? null;
      ciphers.push({ id: library.SSL_CIPHER_get_protocol_id(cipher), certificate });
    }
    return ciphers;
  } finally {
    library.SSL_CTX_free(context);
  }
}
