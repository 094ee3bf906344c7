/** The listeners of the running configuration, and how a reload turns one set into another. */
import type { AddressInfo, Socket } from 'node:net';
import type { ListenerConfig, Settings } from '../config/server-config.ts';
import {
  bindListener,
  closeListener,
  listenerKey,
  openListener,
  type BoundListener,
  type ListenerOptions,
  type OpenListener,
} from './listeners.ts';

export interface ListenerEvents {
  readonly onConnection: (socket: Socket, listener: OpenListener) => void;
  readonly onError: (error: Error) => void;
  readonly onNotice: (text: string) => void;
}

export class ListenerSet {
  readonly #open = new Map<string, OpenListener>();
  readonly #events: ListenerEvents;
  readonly #anyPort: boolean;

  constructor(events: ListenerEvents, anyPort: boolean) {
    this.#events = events;
    this.#anyPort = anyPort;
  }

  get addresses(): AddressInfo[] {
    return [...this.#open.values()].map((listener) => listener.address);
  }

  /** Binds those that are not open yet. Throws ListenError; nothing stays bound then. */
  bindMissing(wanted: readonly ListenerConfig[], settings: Settings): BoundListener[] {
    const bound: BoundListener[] = [];
    try {
      for (const config of wanted) {
        if (!this.#open.has(listenerKey(config)))
          bound.push(bindListener(config, wanted, this.#options(settings)));
      }
    } catch (error) {
      releaseBound(bound);
      throw error;
    }
    return bound;
  }

  /** Starts to accept on bound listeners: all of them, or none and ListenError. */
  async open(bound: readonly BoundListener[], settings: Settings): Promise<void> {
    const opened: OpenListener[] = [];
    try {
      for (const one of bound) {
        opened.push(
          await openListener(one, this.#options(settings), this.#events.onConnection, this.#events.onError),
        );
      }
    } catch (error) {
      for (const listener of opened) closeListener(listener);
      releaseBound(bound);
      throw error;
    }
    for (const listener of opened) this.#open.set(listener.key, listener);
  }

  /** After a reload: closes what is no longer wanted and tells the others which virtual hosts share them. */
  retain(wanted: readonly ListenerConfig[]): void {
    const configs = new Map(wanted.map((config) => [listenerKey(config), config]));
    for (const [key, listener] of this.#open) {
      const config = configs.get(key);
      if (config !== undefined) {
        listener.config = config;
        continue;
      }
      closeListener(listener);
      this.#open.delete(key);
    }
  }

  closeAll(): void {
    for (const listener of this.#open.values()) closeListener(listener);
    this.#open.clear();
  }

  #options(settings: Settings): ListenerOptions {
    return {
      backlog: settings.tcpBacklog,
      noDelay: settings.tcpNoDelay,
      keepAlive: settings.socketOptions.keepAlive,
      reusePort: settings.socketOptions.reusePort,
      sizes: settings.socketOptions,
      anyPort: this.#anyPort,
      onNotice: this.#events.onNotice,
    };
  }
}

export function releaseBound(bound: readonly BoundListener[]): void {
  for (const { handle } of bound) handle[Symbol.dispose]();
}
