/**
 * SSH_MSG_KEXINIT (RFC 4253, section 7.1):
 * byte 20, byte[16] cookie, name-lists kex, host key, encryption c2s s2c, MAC c2s s2c, compression c2s s2c, languages
 * c2s s2c, boolean first_kex_packet_follows, uint32 0.
 */
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import { KEXINIT } from './message-numbers.ts';

export interface AlgorithmLists {
  readonly keyExchanges: readonly string[];
  readonly hostKeys: readonly string[];
  readonly ciphersIn: readonly string[];
  readonly ciphersOut: readonly string[];
  readonly macsIn: readonly string[];
  readonly macsOut: readonly string[];
  readonly compressionsIn: readonly string[];
  readonly compressionsOut: readonly string[];
}

export interface ClientKexInit extends AlgorithmLists {
  readonly guessFollows: boolean;
}

const COOKIE_BYTES = 16;

/** "In" is client to server. Throws ByteError. */
export function parseKexInit(payload: Buffer): ClientKexInit {
  const reader = new ByteReader(payload, 1);
  reader.raw(COOKIE_BYTES);
  const lists: AlgorithmLists = {
    keyExchanges: reader.nameList(),
    hostKeys: reader.nameList(),
    ciphersIn: reader.nameList(),
    ciphersOut: reader.nameList(),
    macsIn: reader.nameList(),
    macsOut: reader.nameList(),
    compressionsIn: reader.nameList(),
    compressionsOut: reader.nameList(),
  };
  reader.nameList();
  reader.nameList();
  const guessFollows = reader.bool();
  reader.u32();
  reader.end();
  return { ...lists, guessFollows };
}

/** @param cookie - 16 random bytes */
export function encodeKexInit(lists: AlgorithmLists, cookie: Buffer): Buffer {
  return new ByteWriter(1024)
    .u8(KEXINIT)
    .raw(cookie)
    .nameList(lists.keyExchanges)
    .nameList(lists.hostKeys)
    .nameList(lists.ciphersIn)
    .nameList(lists.ciphersOut)
    .nameList(lists.macsIn)
    .nameList(lists.macsOut)
    .nameList(lists.compressionsIn)
    .nameList(lists.compressionsOut)
    .nameList([])
    .nameList([])
    .bool(false)
    .u32(0)
    .finish();
}
