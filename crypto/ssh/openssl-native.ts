/**
 * The ciphers and MACs of this process's own OpenSSL through `node:ffi`: the same library, providers and FIPS module
 * that `node:crypto` uses, but with contexts that live as long as their key and work in place. A 32 KiB packet then
 * costs half of what `createCipheriv` takes for it (bench/micro/ssh-packet.ts), and nothing for the garbage collector.
 *
 * Every pointer handed over belongs to a Buffer that is reachable for the whole call, and every length is that
 * Buffer's own; Node keeps Buffers off the moving heap.
 */
import type {
  CipherPrimitive,
  GcmPrimitive,
  MacPrimitive,
  NoncePrimitive,
  Primitives,
} from './primitives.ts';

const NULL = 0n;
/** EVP_CTRL_AEAD_GET_TAG and _SET_TAG (openssl/evp.h). */
const GET_TAG = 0x10;
const SET_TAG = 0x11;
const TAG_BYTES = 16;
const OSSL_PARAM_BYTES = 40;
const OSSL_PARAM_UTF8_STRING = 4;
const OSSL_PARAM_OCTET_STRING = 5;

type Ffi = typeof import('node:ffi');

/**
 * What OpenSSL holds addresses of. The garbage collector does not see those, and frees a module's variable that no
 * code names any more; an export it keeps.
 */
export const pinned: { readonly scratch: Buffer; parameters: ParameterList | null } = {
  /** Where OpenSSL writes a length nobody reads, and the empty end of a GCM packet. */
  scratch: Buffer.allocUnsafeSlow(64),
  /** Of the running key derivation. */
  parameters: null,
};

function bind(ffi: Ffi) {
  return ffi.dlopen(null, {
    EVP_CIPHER_fetch: { arguments: ['pointer', 'string', 'pointer'], return: 'pointer' },
    EVP_CIPHER_CTX_new: { arguments: [], return: 'pointer' },
    EVP_CIPHER_CTX_free: { arguments: ['pointer'], return: 'void' },
    EVP_CipherInit_ex2: {
      arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'i32', 'pointer'],
      return: 'i32',
    },
    EVP_CIPHER_CTX_set_padding: { arguments: ['pointer', 'i32'], return: 'i32' },
    EVP_CipherUpdate: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'i32'], return: 'i32' },
    EVP_CipherFinal_ex: { arguments: ['pointer', 'pointer', 'pointer'], return: 'i32' },
    EVP_CIPHER_CTX_ctrl: { arguments: ['pointer', 'i32', 'i32', 'pointer'], return: 'i32' },
    EVP_MAC_fetch: { arguments: ['pointer', 'string', 'pointer'], return: 'pointer' },
    EVP_MAC_CTX_new: { arguments: ['pointer'], return: 'pointer' },
    EVP_MAC_CTX_free: { arguments: ['pointer'], return: 'void' },
    EVP_MAC_init: { arguments: ['pointer', 'pointer', 'u64', 'pointer'], return: 'i32' },
    EVP_MAC_update: { arguments: ['pointer', 'pointer', 'u64'], return: 'i32' },
    EVP_MAC_final: { arguments: ['pointer', 'pointer', 'pointer', 'u64'], return: 'i32' },
    EVP_KDF_fetch: { arguments: ['pointer', 'string', 'pointer'], return: 'pointer' },
    EVP_KDF_CTX_new: { arguments: ['pointer'], return: 'pointer' },
    EVP_KDF_CTX_free: { arguments: ['pointer'], return: 'void' },
    EVP_KDF_derive: { arguments: ['pointer', 'pointer', 'u64', 'pointer'], return: 'i32' },
    ERR_clear_error: { arguments: [], return: 'void' },
  }).functions;
}

type Openssl = ReturnType<typeof bind>;

function load(): { readonly ffi: Ffi; readonly openssl: Openssl } | null {
  const ffi = process.getBuiltinModule('node:ffi') as Ffi | undefined;
  if (ffi === undefined) return null;
  try {
    return { ffi, openssl: bind(ffi) };
  } catch (error) {
    // Node linked against another OpenSSL, or FFI forbidden by a permission flag: node:crypto does the work.
    if (error instanceof Error) return null;
    throw error;
  }
}

const loaded = load();

/** The library refused a call; the text names the call only. */
class OpensslError extends Error {
  constructor(call: string) {
    super(`OpenSSL refused ${call}`);
    this.name = 'OpensslError';
  }
}

function build({ ffi, openssl }: NonNullable<typeof loaded>): Primitives {
  const address = ffi.getRawPointer;
  const scratchAt = address(pinned.scratch);
  const ciphers = new Map<string, bigint>();
  const macs = new Map<string, bigint>();
  const digests = new Map<string, ParameterList>();

  const need = (result: number, call: string): void => {
    if (result === 1) return;
    openssl.ERR_clear_error();
    throw new OpensslError(call);
  };
  const fetched = (
    cache: Map<string, bigint>,
    fetch: (library: bigint, name: string, properties: bigint) => bigint,
    name: string,
  ): bigint => {
    let algorithm = cache.get(name);
    if (algorithm === undefined) {
      algorithm = fetch(NULL, name, NULL);
      if (algorithm === NULL) {
        openssl.ERR_clear_error();
        throw new OpensslError(name);
      }
      cache.set(name, algorithm);
    }
    return algorithm;
  };

  // A session that ends without close() must not leak its contexts.
  const lostCiphers = new FinalizationRegistry<bigint>((context) => openssl.EVP_CIPHER_CTX_free(context));
  const lostMacs = new FinalizationRegistry<bigint>((context) => openssl.EVP_MAC_CTX_free(context));

  /** One EVP_CIPHER_CTX, keyed for good. */
  class CipherContext {
    #context: bigint;

    constructor(name: string, key: Buffer, iv: Buffer | null, encrypt: boolean) {
      const cipher = fetched(ciphers, openssl.EVP_CIPHER_fetch, name);
      this.#context = openssl.EVP_CIPHER_CTX_new();
      if (this.#context === NULL) throw new OpensslError('EVP_CIPHER_CTX_new');
      lostCiphers.register(this, this.#context, this);
      const ivAt = iv === null ? NULL : address(iv);
      const direction = encrypt ? 1 : 0;
      need(
        openssl.EVP_CipherInit_ex2(this.#context, cipher, address(key), ivAt, direction, NULL),
        'EVP_CipherInit',
      );
      need(openssl.EVP_CIPHER_CTX_set_padding(this.#context, 0), 'EVP_CIPHER_CTX_set_padding');
    }

    /** OpenSSL would follow a null pointer. */
    #open(): bigint {
      if (this.#context === NULL) throw new OpensslError('a closed context');
      return this.#context;
    }

    restart(iv: Buffer): void {
      need(openssl.EVP_CipherInit_ex2(this.#open(), NULL, NULL, address(iv), -1, NULL), 'EVP_CipherInit');
    }

    associate(at: bigint, length: number): void {
      need(openssl.EVP_CipherUpdate(this.#open(), NULL, scratchAt, at, length), 'EVP_CipherUpdate');
    }

    update(at: bigint, length: number): void {
      if (length === 0) return;
      need(openssl.EVP_CipherUpdate(this.#open(), at, scratchAt, at, length), 'EVP_CipherUpdate');
    }

    tag(command: number, at: bigint): void {
      need(openssl.EVP_CIPHER_CTX_ctrl(this.#open(), command, TAG_BYTES, at), 'EVP_CIPHER_CTX_ctrl');
    }

    /** False where authentication failed. */
    final(): boolean {
      if (openssl.EVP_CipherFinal_ex(this.#open(), scratchAt, scratchAt + 32n) === 1) return true;
      openssl.ERR_clear_error();
      return false;
    }

    close(): void {
      if (this.#context === NULL) return;
      lostCiphers.unregister(this);
      openssl.EVP_CIPHER_CTX_free(this.#context);
      this.#context = NULL;
    }
  }

  /** One EVP_MAC_CTX. */
  class MacContext {
    #context: bigint;

    constructor(name: string) {
      this.#context = openssl.EVP_MAC_CTX_new(fetched(macs, openssl.EVP_MAC_fetch, name));
      if (this.#context === NULL) throw new OpensslError('EVP_MAC_CTX_new');
      lostMacs.register(this, this.#context, this);
    }

    #open(): bigint {
      if (this.#context === NULL) throw new OpensslError('a closed context');
      return this.#context;
    }

    /** A null key starts again with the one before. */
    start(key: Buffer | null, parameters: bigint): void {
      const length = key === null ? 0n : BigInt(key.length);
      need(
        openssl.EVP_MAC_init(this.#open(), key === null ? NULL : address(key), length, parameters),
        'EVP_MAC_init',
      );
    }

    update(bytes: Buffer): void {
      const length = BigInt(bytes.length);
      need(openssl.EVP_MAC_update(this.#open(), address(bytes), length), 'EVP_MAC_update');
    }

    final(out: Buffer): void {
      const length = BigInt(out.length);
      need(openssl.EVP_MAC_final(this.#open(), address(out), scratchAt, length), 'EVP_MAC_final');
    }

    close(): void {
      if (this.#context === NULL) return;
      lostMacs.unregister(this);
      openssl.EVP_MAC_CTX_free(this.#context);
      this.#context = NULL;
    }
  }

  return {
    source: 'module',

    cipher(name, key, iv, encrypt): CipherPrimitive {
      const context = new CipherContext(name, key, iv, encrypt);
      return {
        apply: (bytes) => context.update(address(bytes), bytes.length),
        close: () => context.close(),
      };
    },

    gcm(name, key, encrypt): GcmPrimitive {
      const context = new CipherContext(name, key, null, encrypt);
      return {
        seal(packet, iv) {
          const at = address(packet);
          const length = packet.length - TAG_BYTES;
          context.restart(iv);
          context.associate(at, 4);
          context.update(at + 4n, length - 4);
          if (!context.final()) throw new OpensslError('EVP_CipherFinal');
          context.tag(GET_TAG, at + BigInt(length));
        },
        open(packet, iv) {
          const at = address(packet);
          const length = packet.length - TAG_BYTES;
          context.restart(iv);
          context.tag(SET_TAG, at + BigInt(length));
          context.associate(at, 4);
          context.update(at + 4n, length - 4);
          return context.final();
        },
        close: () => context.close(),
      };
    },

    chacha20(key): NoncePrimitive {
      const context = new CipherContext('ChaCha20', key, null, true);
      return {
        apply(bytes, iv) {
          context.restart(iv);
          context.update(address(bytes), bytes.length);
        },
        close: () => context.close(),
      };
    },

    hmac(hash, key): MacPrimitive {
      const context = new MacContext('HMAC');
      let parameters = digests.get(hash);
      if (parameters === undefined) {
        parameters = parameterList(ffi, [['digest', Buffer.from(`${hash}\0`), OSSL_PARAM_UTF8_STRING]]);
        digests.set(hash, parameters);
      }
      context.start(key, address(parameters.list));
      return {
        compute(first, second, out) {
          context.start(null, NULL);
          context.update(first);
          context.update(second);
          context.final(out);
        },
        close: () => context.close(),
      };
    },

    poly1305() {
      const context = new MacContext('Poly1305');
      return {
        compute(key, bytes, out) {
          context.start(key, NULL);
          context.update(bytes);
          context.final(out);
        },
        close: () => context.close(),
      };
    },
  };
}

/** An OSSL_PARAM array (openssl/params.h) and the buffers it points into, which must live as long as it is used. */
interface ParameterList {
  readonly list: Buffer;
  readonly held: readonly Buffer[];
}

function parameterList(
  ffi: Ffi,
  entries: readonly (readonly [name: string, value: Buffer, type: number])[],
): ParameterList {
  const list = Buffer.alloc((entries.length + 1) * OSSL_PARAM_BYTES);
  const held: Buffer[] = [];
  for (const [index, [name, value, type]] of entries.entries()) {
    const key = Buffer.from(`${name}\0`);
    held.push(key, value);
    const at = index * OSSL_PARAM_BYTES;
    // A UTF-8 string's size is its length without the NUL.
    const size = type === OSSL_PARAM_UTF8_STRING ? value.length - 1 : value.length;
    list.writeBigUInt64LE(ffi.getRawPointer(key), at);
    list.writeUInt32LE(type, at + 8);
    list.writeBigUInt64LE(ffi.getRawPointer(value), at + 16);
    list.writeBigUInt64LE(BigInt(size), at + 24);
  }
  return { list, held };
}

/** Null where this process cannot reach its OpenSSL (no FFI, a 32-bit or big-endian machine). */
export const nativePrimitives: Primitives | null =
  loaded !== null && ['x64', 'arm64'].includes(process.arch) ? build(loaded) : null;

/** Everything the SSHKDF of RFC 4253, section 7.2, takes; see key-derivation.ts. */
export interface SshKdfInput {
  /** OpenSSL's name: SHA1, SHA256 ... */
  readonly hash: string;
  readonly encodedSecret: Buffer;
  readonly exchangeHash: Buffer;
  /** 'A' to 'F'. */
  readonly letter: string;
  readonly sessionId: Buffer;
}

/**
 * SSHKDF of the loaded providers (SP 800-135, section 5.2), which in FIPS mode is the module's.
 * @returns the key, or null where it cannot be reached
 */
export function nativeSshKdf(input: SshKdfInput, bytes: number): Buffer | null {
  if (nativePrimitives === null || loaded === null || bytes === 0) return null;
  const { ffi, openssl } = loaded;
  const algorithm = sshKdfAlgorithm(openssl);
  if (algorithm === NULL) return null;
  const context = openssl.EVP_KDF_CTX_new(algorithm);
  if (context === NULL) return null;
  const parameters = parameterList(ffi, [
    ['digest', Buffer.from(`${input.hash}\0`), OSSL_PARAM_UTF8_STRING],
    ['key', input.encodedSecret, OSSL_PARAM_OCTET_STRING],
    ['xcghash', input.exchangeHash, OSSL_PARAM_OCTET_STRING],
    ['session_id', input.sessionId, OSSL_PARAM_OCTET_STRING],
    ['type', Buffer.from(`${input.letter}\0`), OSSL_PARAM_UTF8_STRING],
  ]);
  const out = Buffer.alloc(bytes);
  pinned.parameters = parameters;
  try {
    const result = openssl.EVP_KDF_derive(
      context,
      ffi.getRawPointer(out),
      BigInt(bytes),
      ffi.getRawPointer(parameters.list),
    );
    if (result === 1) return out;
    openssl.ERR_clear_error();
    return null;
  } finally {
    pinned.parameters = null;
    openssl.EVP_KDF_CTX_free(context);
  }
}

let sshKdf: bigint | undefined;

function sshKdfAlgorithm(openssl: Openssl): bigint {
  if (sshKdf === undefined) {
    sshKdf = openssl.EVP_KDF_fetch(NULL, 'SSHKDF', NULL);
    if (sshKdf === NULL) openssl.ERR_clear_error();
  }
  return sshKdf;
}
