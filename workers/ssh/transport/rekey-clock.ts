/** When this side asks for new keys, and how long it waits for them (SFTPRekey). */
import type { CipherSpec } from '../../../crypto/ssh/packet-protection.ts';
import type { SftpRekey } from '../../../src/config/server-config.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import { ProtocolViolation } from './protocol-violation.ts';
import { byteLimit, isWornOut, LAST_PACKET, type DirectionUse } from './rekey-limits.ts';

export interface RekeyHooks {
  /** Send KEXINIT, unless an exchange runs already. */
  begin(): void;
  failed(error: unknown): void;
}

/** From the client's KEXINIT on it is the client that keeps the exchange waiting. */
const EXCHANGE_TIMEOUT_SECONDS = 120;
/** setTimeout takes no more than 31 bits of milliseconds. */
const LONGEST_TIMER_SECONDS = 2_147_483;

export class RekeyClock {
  #policy: SftpRekey;
  readonly #hooks: RekeyHooks;
  #limits: { readonly cipherIn: CipherSpec; readonly cipherOut: CipherSpec } | null = null;
  #limitIn = Number.POSITIVE_INFINITY;
  #limitOut = Number.POSITIVE_INFINITY;
  #interval: NodeJS.Timeout | null = null;
  #wait: NodeJS.Timeout | null = null;
  #started = false;
  #asked = false;
  #stopped = false;

  constructor(policy: SftpRekey, hooks: RekeyHooks) {
    this.#policy = policy;
    this.#hooks = hooks;
  }

  /** The user has logged in: from now on keys are renewed. */
  start(policy: SftpRekey): void {
    this.#policy = policy;
    this.#started = true;
    this.#setLimits();
    this.#restart();
  }

  noteOut(use: DirectionUse): void {
    if (use.bytes < this.#limitOut && use.packets < 2 ** 31) return;
    this.#wornOut(use, this.#limitOut);
  }

  noteIn(use: DirectionUse): void {
    if (use.bytes < this.#limitIn && use.packets < 2 ** 31) return;
    this.#wornOut(use, this.#limitIn);
  }

  /** Both KEXINITs are there. */
  running(): void {
    this.#asked = true;
    this.#expect(EXCHANGE_TIMEOUT_SECONDS);
  }

  /** New keys are in force. `restarts`: the next ones are due after SFTPRekey's interval. */
  renewed(
    limits: { readonly cipherIn: CipherSpec; readonly cipherOut: CipherSpec },
    restarts: boolean,
  ): void {
    this.#asked = false;
    if (this.#wait !== null) clearTimeout(this.#wait);
    this.#wait = null;
    this.#limits = limits;
    this.#setLimits();
    if (restarts) this.#restart();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#interval !== null) clearTimeout(this.#interval);
    if (this.#wait !== null) clearTimeout(this.#wait);
  }

  #setLimits(): void {
    if (this.#limits === null) return;
    this.#limitIn = limitOf(this.#policy, this.#limits.cipherIn);
    this.#limitOut = limitOf(this.#policy, this.#limits.cipherOut);
  }

  #wornOut(use: DirectionUse, limit: number): void {
    if (use.packets >= LAST_PACKET) throw new ProtocolViolation('Keys are worn out');
    if (this.#started && isWornOut(use, limit)) this.#ask();
  }

  #restart(): void {
    if (this.#interval !== null) clearTimeout(this.#interval);
    this.#interval = null;
    if (this.#policy.kind === 'none' || this.#stopped) return;
    const seconds = Math.min(this.#policy.seconds, LONGEST_TIMER_SECONDS);
    this.#interval = setTimeout(() => this.#ask(), seconds * 1000);
  }

  #ask(): void {
    if (this.#asked || this.#stopped) return;
    this.#asked = true;
    if (this.#policy.kind === 'required' && this.#policy.timeoutSeconds > 0)
      this.#expect(this.#policy.timeoutSeconds);
    this.#hooks.begin();
  }

  #expect(seconds: number): void {
    if (this.#wait !== null) return;
    this.#wait = setTimeout(
      () => {
        this.#hooks.failed(
          new ProtocolViolation('rekey timeout', {
            code: DisconnectCode.keyExchangeFailed,
            logText: `Failed to rekey before ${seconds} seconds timeout, disconnecting client`,
            endReason: 'timeout',
          }),
        );
      },
      Math.min(seconds, LONGEST_TIMER_SECONDS) * 1000,
    );
  }
}

function limitOf(policy: SftpRekey, cipher: CipherSpec): number {
  return byteLimit(policy, cipher.blockBytes, cipher.kind === 'cbc');
}
