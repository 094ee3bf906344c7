/** The server's side of one key exchange, from the client's first method message to H and K (ssh-transport reference, section 4). */
import type { HostKey } from '../../../crypto/ssh/host-keys.ts';
import {
  exchangeHash,
  KeyExchangeError,
  prepareTransientRsaKey,
  respond,
  type DhGroup,
  type KeyExchangeMethod,
  type TransientRsaKey,
} from '../../../crypto/ssh/key-exchange.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import {
  encodeDhReply,
  encodeEcdhReply,
  encodeGroup,
  encodeRsaDone,
  encodeRsaPublicKey,
  KEX_30,
  KEX_31,
  KEX_32,
  KEX_33,
  KEX_34,
  parseDhInit,
  parseGroupRequest,
  parseStringInit,
  type GroupRequest,
} from '../wire/kex-messages.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import { ProtocolViolation } from './protocol-violation.ts';

export interface ExchangeInput {
  readonly method: KeyExchangeMethod;
  readonly hostKey: HostKey;
  /** Signature algorithm agreed on. */
  readonly hostKeyAlgorithm: string;
  /** V_C, V_S without line ends; I_C, I_S as payloads. */
  readonly clientVersion: string;
  readonly serverVersion: string;
  readonly clientKexInit: Buffer;
  readonly serverKexInit: Buffer;
  /** A group for the request; null: none is to be had. */
  chooseGroup(request: GroupRequest): DhGroup | null;
  send(payload: Buffer): void;
}

export interface SharedKeys {
  readonly encodedSecret: Buffer;
  readonly exchangeHash: Buffer;
}

export class KeyExchangeRun {
  readonly #input: ExchangeInput;
  #group: { readonly request: GroupRequest; readonly group: DhGroup } | null = null;
  #transient: TransientRsaKey | null = null;

  constructor(input: ExchangeInput) {
    this.#input = input;
  }

  /** Where the server speaks first (RFC 4432). */
  async start(): Promise<void> {
    if (this.#input.method.shape !== 'rsa') return;
    this.#transient = await prepareTransientRsaKey();
    this.#input.send(encodeRsaPublicKey(this.#input.hostKey.blob, this.#transient.blob));
  }

  expects(type: number): boolean {
    const { shape } = this.#input.method;
    if (shape === 'rsa') return type === KEX_31;
    if (shape !== 'group-exchange') return type === KEX_30;
    return this.#group === null ? type === KEX_34 || type === KEX_30 : type === KEX_32;
  }

  /** The expected message; null when another one has to follow. The reply has been sent when this resolves. */
  async step(payload: Buffer): Promise<SharedKeys | null> {
    const { shape } = this.#input.method;
    try {
      if (shape === 'rsa') return await this.#decrypt(parseStringInit(payload));
      if (shape === 'ecdh') return await this.#agreeOnPoint(parseStringInit(payload));
      if (shape === 'group-exchange' && this.#group === null) return this.#offerGroup(payload);
      return await this.#agreeOnNumber(parseDhInit(payload));
    } catch (error) {
      if (!(error instanceof KeyExchangeError)) throw error;
      throw new ProtocolViolation('Key exchange failed', {
        code: DisconnectCode.keyExchangeFailed,
        logText: `key exchange failed: ${error.message}`,
      });
    }
  }

  #offerGroup(payload: Buffer): null {
    const request = parseGroupRequest(payload);
    if ('problem' in request) {
      throw new ProtocolViolation('Bad group exchange request', {
        code: DisconnectCode.keyExchangeFailed,
        logText: request.problem,
      });
    }
    const group = this.#input.chooseGroup(request);
    if (group === null) {
      throw new ProtocolViolation('No suitable group', {
        code: DisconnectCode.keyExchangeFailed,
        logText: `unable to find suitable DH for ${request.min}-${request.max} bit sizes`,
      });
    }
    this.#group = { request, group };
    this.#input.send(encodeGroup(group.prime, group.generator));
    return null;
  }

  async #agreeOnNumber(clientPublic: Buffer): Promise<SharedKeys> {
    const { method, hostKey } = this.#input;
    const chosen = this.#group;
    const answer =
      chosen === null
        ? await respond(method, clientPublic)
        : await respond(method, clientPublic, chosen.group);
    const part = new ByteWriter(4_096);
    if (chosen !== null)
      part.raw(chosen.request.hashed).mpint(chosen.group.prime).mpint(chosen.group.generator);
    part.mpint(clientPublic).mpint(answer.serverPublic);
    const hash = this.#hash(part.finish(), answer.encodedSecret);
    const reply = chosen === null ? KEX_31 : KEX_33;
    this.#input.send(encodeDhReply(reply, hostKey.blob, answer.serverPublic, await this.#sign(hash)));
    return { encodedSecret: answer.encodedSecret, exchangeHash: hash };
  }

  async #agreeOnPoint(clientPublic: Buffer): Promise<SharedKeys> {
    const { method, hostKey } = this.#input;
    const { serverPublic, encodedSecret } = await respond(method, clientPublic);
    const part = new ByteWriter(4_096).string(clientPublic).string(serverPublic).finish();
    const hash = this.#hash(part, encodedSecret);
    this.#input.send(encodeEcdhReply(hostKey.blob, serverPublic, await this.#sign(hash)));
    return { encodedSecret, exchangeHash: hash };
  }

  async #decrypt(cipherText: Buffer): Promise<SharedKeys> {
    const transient = this.#transient!;
    const encodedSecret = transient.decrypt(
      cipherText,
      this.#input.method.hash === 'sha1' ? 'sha1' : 'sha256',
    );
    const part = new ByteWriter(2_048).string(transient.blob).string(cipherText).finish();
    const hash = this.#hash(part, encodedSecret);
    this.#input.send(encodeRsaDone(await this.#sign(hash)));
    return { encodedSecret, exchangeHash: hash };
  }

  #hash(methodPart: Buffer, encodedSecret: Buffer): Buffer {
    const { method, hostKey, clientVersion, serverVersion, clientKexInit, serverKexInit } = this.#input;
    const common = new ByteWriter(4_096)
      .string(clientVersion)
      .string(serverVersion)
      .string(clientKexInit)
      .string(serverKexInit)
      .string(hostKey.blob)
      .finish();
    return exchangeHash(method, [common, methodPart, encodedSecret]);
  }

  #sign(hash: Buffer): Promise<Buffer> {
    return this.#input.hostKey.sign(this.#input.hostKeyAlgorithm, hash);
  }
}
