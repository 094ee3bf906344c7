/**
 * The certificate libraries, loaded when the first client certificate arrives: 180 ms and 20 MB per thread that a
 * session without client certificates must not pay.
 */
import type * as X509 from '@peculiar/x509';
import type * as Pkijs from 'pkijs';

export interface CertificateParsers {
  /** @peculiar/x509: names, alternative names, extensions. */
  readonly x509: typeof X509;
  /** pkijs: path validation (RFC 5280, section 6) and CRLs. */
  readonly pkijs: typeof Pkijs;
}

let loading: Promise<CertificateParsers> | null = null;

/** Loads both libraries once per thread. */
export function certificateParsers(): Promise<CertificateParsers> {
  loading ??= load();
  return loading;
}

async function load(): Promise<CertificateParsers> {
  provideMetadata();
  const x509 = await import('@peculiar/x509');
  const pkijs = await import('pkijs');
  return { x509, pkijs };
}

type MetadataReflect = typeof Reflect & {
  defineMetadata?: (key: unknown, value: unknown, target: object) => void;
  getOwnMetadata?: (key: unknown, target: object) => unknown;
  getMetadata?: (key: unknown, target: object) => unknown;
};

/**
 * @peculiar/x509 resolves its algorithms through tsyringe, which refuses to load without the three metadata calls
 * of the former decorator proposal. They are added only where no polyfill is present.
 */
function provideMetadata(): void {
  const reflect = Reflect as MetadataReflect;
  if (reflect.getMetadata !== undefined) return;
  const stored = new WeakMap<object, Map<unknown, unknown>>();
  reflect.defineMetadata = (key, value, target) => {
    const entries = stored.get(target) ?? new Map<unknown, unknown>();
    entries.set(key, value);
    stored.set(target, entries);
  };
  reflect.getOwnMetadata = (key, target) => stored.get(target)?.get(key);
  reflect.getMetadata = (key, target) => {
    for (
      let owner: object | null = target;
      owner !== null;
      owner = Object.getPrototypeOf(owner) as object | null
    ) {
      const entries = stored.get(owner);
      if (entries?.has(key) === true) return entries.get(key);
    }
    return undefined;
  };
}
