/** Functions of the C library through `node:ffi`, for calls Node has no name for. */
import { getSystemErrorName } from 'node:util';

type Ffi = typeof import('node:ffi');
type Signatures = Parameters<Ffi['dlopen']>[1];

export interface NativeFunctions {
  /** The function's result, or minus the errno where it is -1. */
  call(name: string, ...values: unknown[]): number;
}

/** Null where there is no FFI, or where the library lacks one of the functions. */
export function bindFunctions(signatures: Signatures): NativeFunctions | null {
  const ffi = process.getBuiltinModule('node:ffi') as Ffi | undefined;
  if (ffi === undefined) return null;
  try {
    const { __errno_location: errnoLocation, ...functions } = ffi.dlopen(null, {
      ...signatures,
      __errno_location: { arguments: [], return: 'pointer' },
    }).functions as Record<string, (...values: unknown[]) => unknown>;
    // errno is thread-local, and so is this module: each worker loads its own copy.
    const errnoPointer = errnoLocation!() as bigint;
    return {
      call(name, ...values) {
        const result = Number(functions[name]!(...values));
        return result === -1 ? -ffi.getInt32(errnoPointer, 0) : result;
      },
    };
  } catch (error) {
    // Another libc, or FFI forbidden by a permission flag: the caller has its fallback.
    if (error instanceof Error) return null;
    throw error;
  }
}

/** `ENODATA` for a negative result of a call. */
export function errnoOfResult(result: number): string {
  return getSystemErrorName(result);
}
