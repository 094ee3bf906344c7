/** Messages of the transport layer besides key exchange (RFC 4253, section 11; RFC 8308). Parsers throw ByteError. */
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import {
  DISCONNECT,
  EXT_INFO,
  IGNORE,
  NEWKEYS,
  PONG,
  SERVICE_ACCEPT,
  UNIMPLEMENTED,
  USERAUTH_SUCCESS,
} from './message-numbers.ts';

/** DISCONNECT: uint32 code, string description, string language. */
export function encodeDisconnect(code: number, text: string): Buffer {
  return new ByteWriter(64 + text.length).u8(DISCONNECT).u32(code).string(text).string('').finish();
}

/** A client that says goodbye carelessly is still gone: a malformed message gives code 0 and no text. */
export function parseDisconnect(payload: Buffer): { readonly code: number; readonly text: string } {
  if (payload.length < 5) return { code: 0, text: '' };
  const code = payload.readUInt32BE(1);
  if (payload.length < 9) return { code, text: '' };
  const end = Math.min(9 + payload.readUInt32BE(5), payload.length, 9 + 256);
  return { code, text: payload.toString('utf8', 9, end) };
}

/** IGNORE: string data. */
export function encodeIgnore(data: Buffer): Buffer {
  return new ByteWriter(5 + data.length).u8(IGNORE).string(data).finish();
}

/** UNIMPLEMENTED: uint32 sequence number of the packet. */
export function encodeUnimplemented(sequence: number): Buffer {
  return new ByteWriter(16).u8(UNIMPLEMENTED).u32(sequence).finish();
}

/** SERVICE_REQUEST: string name. */
export function parseServiceRequest(payload: Buffer): string {
  const reader = new ByteReader(payload, 1);
  const name = reader.name();
  reader.end();
  return name;
}

export function encodeServiceAccept(name: string): Buffer {
  return new ByteWriter(32).u8(SERVICE_ACCEPT).string(name).finish();
}

export function encodeNewKeys(): Buffer {
  return Buffer.of(NEWKEYS);
}

export function encodeUserauthSuccess(): Buffer {
  return Buffer.of(USERAUTH_SUCCESS);
}

/** EXT_INFO (RFC 8308, section 2.3): uint32 count, then string name, string value each. */
export function encodeExtInfo(extensions: readonly (readonly [name: string, value: string])[]): Buffer {
  const writer = new ByteWriter(512).u8(EXT_INFO).u32(extensions.length);
  for (const [name, value] of extensions) writer.string(name).string(value);
  return writer.finish();
}

const MAX_EXTENSIONS = 32;
const MAX_EXTENSION_BYTES = 16_384;

/** Names only: none of the values a client may send changes what this server does. */
export function parseExtInfo(payload: Buffer): string[] {
  const reader = new ByteReader(payload, 1);
  const count = Math.min(reader.u32(), MAX_EXTENSIONS);
  const names: string[] = [];
  for (let index = 0; index < count; index += 1) {
    names.push(reader.string(256).toString('latin1'));
    reader.string(MAX_EXTENSION_BYTES);
  }
  return names;
}

/** PING's data (OpenSSH's PROTOCOL, section 1.9). */
export function parsePing(payload: Buffer, maxBytes: number): Buffer {
  const reader = new ByteReader(payload, 1);
  const data = reader.string(maxBytes);
  reader.end();
  return data;
}

export function encodePong(data: Buffer): Buffer {
  return new ByteWriter(5 + data.length).u8(PONG).string(data).finish();
}
