/** The configurations this worker holds: each version is fetched from main once, and kept while sessions use it. */
import type { MainServices } from '../../src/actor/messages.ts';
import type { ServerConfig } from '../../src/config/server-config.ts';
import { createOperationLog, type OperationLog } from '../../src/log/operation-log.ts';
import { openSyslog } from '../../src/log/syslog.ts';
import { CONSOLE_LOG } from '../../src/log/operation-log.ts';
import type { LogLevel } from '../../src/log/session-log.ts';

export interface HeldConfig {
  readonly config: ServerConfig;
  readonly operations: OperationLog;
}

interface Entry {
  readonly held: Promise<HeldConfig>;
  sessions: number;
}

export class ConfigCache {
  readonly #logLevel: LogLevel;
  readonly #entries = new Map<number, Entry>();
  #newest = 0;
  /** Of the configuration fetched last, for errors that belong to no session. */
  operations: OperationLog | null = null;

  constructor(logLevel: LogLevel) {
    this.#logLevel = logLevel;
  }

  /** Every acquire needs its release, also when it rejected. */
  acquire(version: number, services: MainServices): Promise<HeldConfig> {
    let entry = this.#entries.get(version);
    if (entry === undefined) {
      entry = { held: this.#fetch(version, services), sessions: 0 };
      this.#entries.set(version, entry);
      this.#newest = Math.max(this.#newest, version);
      // A failed fetch is not remembered: the next session asks again.
      entry.held.catch(() => this.#entries.delete(version));
    }
    entry.sessions += 1;
    return entry.held;
  }

  release(version: number): void {
    const entry = this.#entries.get(version);
    if (entry !== undefined) entry.sessions -= 1;
    for (const [old, { sessions }] of this.#entries) {
      if (old !== this.#newest && sessions === 0) this.#entries.delete(old);
    }
  }

  async #fetch(version: number, services: MainServices): Promise<HeldConfig> {
    const config = freezePlain(await services.fetchConfig(version));
    if (!config.logDescriptors.has(CONSOLE_LOG)) await openSyslog();
    const operations = createOperationLog({ descriptors: config.logDescriptors, level: this.#logLevel });
    this.operations = operations;
    return { config, operations };
  }
}

/** Structured clone loses freezing; sessions share this object, so it is frozen again. */
function freezePlain<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value))
    return value;
  if (value instanceof RegExp) return value;
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) freezePlain(inner);
  return Object.freeze(value);
}
