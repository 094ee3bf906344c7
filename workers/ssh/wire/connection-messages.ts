/** Messages 80 to 100 (RFC 4254). Parsers throw ByteError; CHANNEL_DATA is read and written by hand where it is hot. */
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import { decodePathBytes } from '../../../src/util/path-text.ts';
import {
  CHANNEL_CLOSE,
  CHANNEL_EOF,
  CHANNEL_EXTENDED_DATA,
  CHANNEL_FAILURE,
  CHANNEL_OPEN_CONFIRMATION,
  CHANNEL_OPEN_FAILURE,
  CHANNEL_REQUEST,
  CHANNEL_SUCCESS,
  CHANNEL_WINDOW_ADJUST,
  GLOBAL_REQUEST,
  REQUEST_FAILURE,
  REQUEST_SUCCESS,
} from './message-numbers.ts';

export interface GlobalRequest {
  readonly name: string;
  readonly wantReply: boolean;
  readonly data: Buffer;
}

/** GLOBAL_REQUEST: string name, boolean want_reply, data. */
export function parseGlobalRequest(payload: Buffer): GlobalRequest {
  const reader = new ByteReader(payload, 1);
  return { name: reader.name(), wantReply: reader.bool(), data: reader.rest() };
}

export function encodeGlobalRequest(name: string, wantReply: boolean, data: Buffer): Buffer {
  return new ByteWriter(64 + data.length).u8(GLOBAL_REQUEST).string(name).bool(wantReply).raw(data).finish();
}

export function encodeRequestSuccess(data: Buffer): Buffer {
  return new ByteWriter(1 + data.length).u8(REQUEST_SUCCESS).raw(data).finish();
}

export function encodeRequestFailure(): Buffer {
  return Buffer.of(REQUEST_FAILURE);
}

export interface ChannelOpen {
  readonly type: string;
  readonly peerId: number;
  readonly window: number;
  readonly maxPacket: number;
}

/** CHANNEL_OPEN: string type, uint32 sender channel, initial window, maximum packet; a session has no more data. */
export function parseChannelOpen(payload: Buffer): ChannelOpen {
  const reader = new ByteReader(payload, 1);
  return { type: reader.name(), peerId: reader.u32(), window: reader.u32(), maxPacket: reader.u32() };
}

/** CHANNEL_OPEN_CONFIRMATION: uint32 recipient (the peer's number), sender (ours), window, maximum packet. */
export function encodeOpenConfirmation(
  peerId: number,
  ownId: number,
  window: number,
  maxPacket: number,
): Buffer {
  return new ByteWriter(17)
    .u8(CHANNEL_OPEN_CONFIRMATION)
    .u32(peerId)
    .u32(ownId)
    .u32(window)
    .u32(maxPacket)
    .finish();
}

/** CHANNEL_OPEN_FAILURE: uint32 recipient, reason, string description, string language. */
export function encodeOpenFailure(peerId: number, reason: number, text: string): Buffer {
  return new ByteWriter(64).u8(CHANNEL_OPEN_FAILURE).u32(peerId).u32(reason).string(text).string('').finish();
}

/** CHANNEL_EOF, CHANNEL_CLOSE, CHANNEL_SUCCESS, CHANNEL_FAILURE: uint32 recipient. */
export function parseChannelNumber(payload: Buffer): number {
  const reader = new ByteReader(payload, 1);
  const id = reader.u32();
  reader.end();
  return id;
}

function encodeChannelNumber(type: number, peerId: number): Buffer {
  return new ByteWriter(16).u8(type).u32(peerId).finish();
}

export const encodeChannelEof = (peerId: number): Buffer => encodeChannelNumber(CHANNEL_EOF, peerId);
export const encodeChannelClose = (peerId: number): Buffer => encodeChannelNumber(CHANNEL_CLOSE, peerId);
export const encodeChannelSuccess = (peerId: number): Buffer => encodeChannelNumber(CHANNEL_SUCCESS, peerId);
export const encodeChannelFailure = (peerId: number): Buffer => encodeChannelNumber(CHANNEL_FAILURE, peerId);

/** CHANNEL_WINDOW_ADJUST: uint32 recipient, bytes to add. */
export function parseWindowAdjust(payload: Buffer): { readonly id: number; readonly bytes: number } {
  const reader = new ByteReader(payload, 1);
  const id = reader.u32();
  const bytes = reader.u32();
  reader.end();
  return { id, bytes };
}

export function encodeWindowAdjust(peerId: number, bytes: number): Buffer {
  return new ByteWriter(16).u8(CHANNEL_WINDOW_ADJUST).u32(peerId).u32(bytes).finish();
}

/** CHANNEL_EXTENDED_DATA: uint32 recipient, type, string data; the length is all this server wants to know. */
export function parseExtendedData(payload: Buffer): { readonly id: number; readonly bytes: number } {
  const reader = new ByteReader(payload, 1);
  const id = reader.u32();
  reader.u32();
  const { length } = reader.string();
  reader.end();
  return { id, bytes: length };
}

const STDERR = 1;

export function encodeStderr(peerId: number, data: Buffer): Buffer {
  return new ByteWriter(16 + data.length)
    .u8(CHANNEL_EXTENDED_DATA)
    .u32(peerId)
    .u32(STDERR)
    .string(data)
    .finish();
}

export interface ChannelRequest {
  readonly id: number;
  readonly type: string;
  readonly wantReply: boolean;
  readonly data: Buffer;
}

/** CHANNEL_REQUEST: uint32 recipient, string type, boolean want_reply, data. */
export function parseChannelRequest(payload: Buffer): ChannelRequest {
  const reader = new ByteReader(payload, 1);
  return { id: reader.u32(), type: reader.name(), wantReply: reader.bool(), data: reader.rest() };
}

export function encodeChannelRequest(peerId: number, type: string, wantReply: boolean, data: Buffer): Buffer {
  return new ByteWriter(64 + data.length)
    .u8(CHANNEL_REQUEST)
    .u32(peerId)
    .string(type)
    .bool(wantReply)
    .raw(data)
    .finish();
}

/** `exit-status` (RFC 4254, section 6.10): uint32. */
export function encodeExitStatus(peerId: number, status: number): Buffer {
  return encodeChannelRequest(peerId, 'exit-status', false, new ByteWriter(16).u32(status).finish());
}

/** `env`: string name, string value. */
export function parseEnvironment(data: Buffer): { readonly name: string; readonly value: string } {
  const reader = new ByteReader(data);
  const name = reader.string(256).toString('latin1');
  const value = reader.utf8(8_192);
  reader.end();
  return { name, value };
}

/** `exec` and `subsystem`: string. Bytes that are no UTF-8 come escaped, see path-text.ts. */
export function parseCommand(data: Buffer): string {
  const reader = new ByteReader(data);
  const command = reader.string(65_536);
  reader.end();
  return decodePathBytes(command);
}
