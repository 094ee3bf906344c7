/**
 * Typed calls between the main actor and a session actor: Comlink over one MessagePort, both directions on it. The
 * only importer of comlink. Comlink leaves a call to a dead thread pending for ever, so every call here has a deadline
 * and also ends when the port closes, which the death of either thread causes.
 */
import { BoundSocket } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import { expose, transfer, wrap, type Endpoint } from 'comlink';

/** What can be called: asynchronous methods with cloneable arguments and results. */
type Methods<T> = { readonly [K in keyof T]: (...args: never[]) => Promise<unknown> };

export type RpcFailure = 'timeout' | 'gone' | 'failed';

/** A call that was not answered. `timeout`: no answer in time; `gone`: the port closed; `failed`: the other side threw. */
export class RpcError extends Error {
  readonly code: RpcFailure;

  constructor(method: string, code: RpcFailure, options?: ErrorOptions) {
    super(`${method}: ${code}`, options);
    this.name = 'RpcError';
    this.code = code;
  }
}

/**
 * Answers the other side's calls with `methods`. A method that throws is a bug of ours: `onError` gets the error, the
 * caller only learns that the call failed. A BoundSocket in the answer is moved, not copied.
 */
export function serveCalls<T extends Methods<T>>(
  port: MessagePort,
  methods: T,
  onError: (method: string, error: unknown) => void,
): void {
  const guarded: Record<string, (...args: unknown[]) => Promise<unknown>> = Object.create(null);
  for (const name of Object.keys(methods) as (keyof T & string)[]) {
    const method = methods[name] as unknown as (...args: unknown[]) => Promise<unknown>;
    guarded[name] = async (...args) => {
      try {
        const result = await method.apply(methods, args);
        return result instanceof BoundSocket ? transfer(result, [result as unknown as Transferable]) : result;
      } catch (error) {
        onError(name, error);
        throw new Error('call failed');
      }
    };
  }
  expose(guarded, port as unknown as Endpoint);
}

type Transferable = Parameters<typeof transfer>[1][number];

/** Milliseconds each method may take; naming every method here is what makes the remote object complete. */
export type Deadlines<T> = { readonly [K in keyof T]: number };

/** The other side's methods. Each call rejects with RpcError after its deadline or when the port closes. */
export function connectCalls<T extends Methods<T>>(port: MessagePort, deadlines: Deadlines<T>): T {
  const remote = wrap(port as unknown as Endpoint) as unknown as Record<
    string,
    (...args: unknown[]) => Promise<unknown>
  >;
  const pending = new Set<(failure: RpcFailure) => void>();
  let closed = false;
  port.on('close', () => {
    closed = true;
    for (const fail of pending) fail('gone');
    pending.clear();
  });

  const call = (method: string, deadline: number, args: unknown[]): Promise<unknown> => {
    if (closed) return Promise.reject(new RpcError(method, 'gone'));
    return new Promise((resolve, reject) => {
      const fail = (code: RpcFailure, cause?: unknown): void => {
        pending.delete(fail);
        clearTimeout(timer);
        reject(new RpcError(method, code, cause === undefined ? undefined : { cause }));
      };
      const timer = setTimeout(fail, deadline, 'timeout');
      pending.add(fail);
      remote[method]!(...args).then(
        (value) => {
          pending.delete(fail);
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => fail('failed', error),
      );
    });
  };

  const methods: Record<string, unknown> = {};
  for (const name of Object.keys(deadlines)) {
    const deadline = deadlines[name as keyof T];
    methods[name] = (...args: unknown[]) => call(name, deadline, args);
  }
  return methods as T;
}
