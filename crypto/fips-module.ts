/**
 * The FIPS module this process really uses, asked of the library itself: OpenSSL's provider interface through
 * `node:ffi` (OSSL_PROVIDER(3), OSSL_PARAM(3)), because Node has no call for it and `getFips()` reports a property
 * query only, not whether a module is there.
 */
import { getFips } from 'node:crypto';

export interface LoadedFipsModule {
  /** What the module calls itself: `OpenSSL FIPS Provider`. */
  readonly name: string;
  /** `3.5.7`. */
  readonly version: string;
  /** Its build's own text; a vendor's build often names the vendor's revision. */
  readonly buildInfo: string;
}

/**
 * off: not in FIPS mode. strict: forced, and what a service indicator reports as not approved is an error. provider:
 * forced, and the provider alone decides (modules before 3.4 have no indicators).
 */
export type FipsMode = 'off' | 'strict' | 'provider';

/** Mode of this process; the same in every thread, FIPS mode covers the whole process. */
export function fipsMode(): FipsMode {
  if (getFips() !== 1) return 'off';
  const options = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv];
  return options.findLast((option) => option.startsWith('--force-fips')) === '--force-fips=strict'
    ? 'strict'
    : 'provider';
}

let known: LoadedFipsModule | null = null;

/** The active provider named "fips"; null where none is active, or where the library cannot be asked (no FFI). */
export function loadedFipsModule(): LoadedFipsModule | null {
  known ??= askProvider();
  return known;
}

/** Version of the active module as numbers; null without one. */
export function loadedFipsVersion(): readonly [major: number, minor: number, patch: number] | null {
  const module = loadedFipsModule();
  return module === null ? null : parseModuleVersion(module.version);
}

/** `3.1.2`, `3.0.7-395c1a240fbfffd8` -> numbers; null where the text does not begin with three numbers. */
export function parseModuleVersion(
  text: string,
): readonly [major: number, minor: number, patch: number] | null {
  const match = /^(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? null : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Service indicators, and with them strict mode, came with 3.4.0 (OpenSSL NEWS, changes between 3.3 and 3.4). */
export function hasServiceIndicators(version: string): boolean {
  const [major, minor] = parseModuleVersion(version) ?? [0, 0];
  return major > 3 || (major === 3 && minor >= 4);
}

/** Names of other providers that could serve an algorithm; an empty list is what FIPS mode wants. */
export function otherActiveProviders(): readonly string[] {
  const library = providerCalls();
  if (library === null) return [];
  return ['default', 'legacy'].filter((name) => library.isAvailable(name));
}

/**
 * Runs the module's known-answer tests again (OSSL_PROVIDER_self_test). Null without module. Never under `strict`: the
 * tests use primitives the indicators refuse, and the module would stay in its error state.
 */
export function runModuleSelfTest(): boolean | null {
  if (fipsMode() === 'strict')
    throw new Error('the self test would put a module in strict mode out of service');
  const library = providerCalls();
  return library === null || !library.isAvailable('fips') ? null : library.selfTest('fips');
}

interface ProviderCalls {
  isAvailable(name: string): boolean;
  /** UTF-8 parameters of an active provider; a missing one is empty. */
  parameters(name: string, keys: readonly string[]): string[];
  selfTest(name: string): boolean;
}

/** struct OSSL_PARAM: key pointer, data type (with padding), data pointer, data size, return size. */
const PARAM_BYTES = 40;
const OSSL_PARAM_UTF8_PTR = 6;
const OSSL_PARAM_UNMODIFIED = 0xffff_ffff_ffff_ffffn;

let calls: ProviderCalls | null | undefined;

function providerCalls(): ProviderCalls | null {
  if (calls === undefined) calls = bindCalls();
  return calls;
}

function bindCalls(): ProviderCalls | null {
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

function bind(ffi: typeof import('node:ffi')): ProviderCalls {
  const { OSSL_PROVIDER_available, OSSL_PROVIDER_load, OSSL_PROVIDER_get_params, OSSL_PROVIDER_self_test } =
    ffi.dlopen(null, {
      OSSL_PROVIDER_available: { arguments: ['pointer', 'string'], return: 'i32' },
      OSSL_PROVIDER_load: { arguments: ['pointer', 'string'], return: 'pointer' },
      OSSL_PROVIDER_get_params: { arguments: ['pointer', 'buffer'], return: 'i32' },
      OSSL_PROVIDER_self_test: { arguments: ['pointer'], return: 'i32' },
    }).functions;
  const DEFAULT_CONTEXT = 0n;
  const handles = new Map<string, bigint>();
  const isAvailable = (name: string): boolean => OSSL_PROVIDER_available(DEFAULT_CONTEXT, name) === 1;
  // Only of an active provider: the call then counts one more user of it, once per thread, and loads nothing.
  const handleOf = (name: string): bigint => {
    const handle = handles.get(name) ?? OSSL_PROVIDER_load(DEFAULT_CONTEXT, name);
    handles.set(name, handle);
    return handle;
  };
  return {
    isAvailable,
    selfTest: (name) => OSSL_PROVIDER_self_test(handleOf(name)) === 1,
    parameters(name, keys) {
      const texts = keys.map((key) => Buffer.from(`${key}\0`, 'latin1'));
      const answers = keys.map(() => new BigUint64Array(1));
      // The all-zero element behind the last ends the list.
      const list = Buffer.alloc(PARAM_BYTES * (keys.length + 1));
      for (const [index, key] of texts.entries()) {
        const at = index * PARAM_BYTES;
        list.writeBigUInt64LE(ffi.getRawPointer(key), at);
        list.writeUInt32LE(OSSL_PARAM_UTF8_PTR, at + 8);
        list.writeBigUInt64LE(ffi.getRawPointer(answers[index]!), at + 16);
        list.writeBigUInt64LE(OSSL_PARAM_UNMODIFIED, at + 32);
      }
      if (OSSL_PROVIDER_get_params(handleOf(name), list) !== 1) return keys.map(() => '');
      return answers.map(([pointer]) =>
        pointer === undefined || pointer === 0n ? '' : (ffi.toString(pointer) ?? ''),
      );
    },
  };
}

function askProvider(): LoadedFipsModule | null {
  const library = providerCalls();
  if (library === null || !library.isAvailable('fips')) return null;
  const [name, version, buildInfo] = library.parameters('fips', ['name', 'version', 'buildinfo']);
  return { name: name || 'unknown', version: version || 'unknown', buildInfo: buildInfo || 'unknown' };
}
