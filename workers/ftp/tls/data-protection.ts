/** How data connections are protected: PBSZ, PROT and SSCN (RFC 2228, RFC 4217) once the control connection is. */
import type { Settings } from '../../../src/config/server-config.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { allowsClearData, allowsPrivateData } from './required-policy.ts';

type Required = Settings['tlsRequired'];

export const UNWILLING = reply(534, 'Unwilling to accept security parameters');
const WRONG_COUNT = reply(501, 'Invalid number of parameters');

export class DataProtection {
  #level: 'clear' | 'private' = 'clear';
  #clientMethod = false;
  readonly #log: (text: string) => void;

  /** `log` takes lines for the TLSLog. */
  constructor(log: (text: string) => void) {
    this.#log = log;
  }

  get level(): 'clear' | 'private' {
    return this.#level;
  }

  /** SSCN ON: this server has the client's role in the next data handshakes. */
  get clientMethod(): boolean {
    return this.#clientMethod;
  }

  /** Private without a PROT, where the policy has nothing against it (AUTH SSL, implicit TLS). */
  preferPrivate(required: Required): void {
    if (allowsPrivateData(required)) this.#level = 'private';
  }

  setBufferSize(argument: string): Reply {
    if (words(argument).length !== 1) return WRONG_COUNT;
    return argument.trim() === '0' ? reply(200, 'PBSZ 0 successful') : reply(200, 'PBSZ=0 successful');
  }

  setLevel(argument: string, required: Required): Reply {
    const [level, ...more] = words(argument);
    if (level === undefined || more.length > 0) return WRONG_COUNT;
    switch (level.toUpperCase()) {
      case 'C':
        if (!allowsClearData(required)) return this.#refuse('C', 'requires protection');
        return this.#accept('clear', 'Protection set to Clear');
      case 'P':
        if (!allowsPrivateData(required)) return this.#refuse('P', 'does not allow protection');
        return this.#accept('private', 'Protection set to Private');
      case 'S':
      case 'E':
        return reply(536, `PROT ${level} unsupported`);
      default:
        return reply(504, `PROT ${level} unsupported`);
    }
  }

  #refuse(level: string, why: string): Reply {
    this.#log(`PROT: TLSRequired ${why} for data transfers`);
    this.#log(`PROT: unwilling to accept security parameter (${level})`);
    return UNWILLING;
  }

  #accept(level: 'clear' | 'private', text: string): Reply {
    this.#level = level;
    this.#log(text);
    return reply(200, text);
  }

  setClientMethod(argument: string): Reply {
    const [value, ...more] = words(argument);
    if (more.length > 0) return reply(504, 'SSCN: Too many arguments');
    switch (value?.toUpperCase()) {
      case undefined:
        break;
      case 'ON':
        this.#clientMethod = true;
        break;
      case 'OFF':
        this.#clientMethod = false;
        break;
      default:
        return reply(501, 'SSCN: Invalid argument');
    }
    return reply(200, this.#clientMethod ? 'SSCN:CLIENT METHOD' : 'SSCN:SERVER METHOD');
  }
}

function words(argument: string): string[] {
  return argument.split(' ').filter((word) => word !== '');
}
