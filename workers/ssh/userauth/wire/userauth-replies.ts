/** What the server says during user authentication (RFC 4252, sections 5.1, 5.4 and 7; RFC 4256, section 3.2). */
import type { SshPrompt } from '../../../../src/actor/messages.ts';
import { ByteWriter } from '../../../../src/util/byte-writer.ts';
import { USERAUTH_BANNER, USERAUTH_FAILURE } from '../../wire/message-numbers.ts';

/** 60 means PK_OK behind a publickey query, INFO_REQUEST behind keyboard-interactive. */
const PK_OK = 60;
const INFO_REQUEST = 60;

/** byte 51 | name-list methods that can continue | bool partial success */
export function encodeFailure(methods: readonly string[], partial: boolean): Buffer {
  return new ByteWriter(64).u8(USERAUTH_FAILURE).nameList(methods).bool(partial).finish();
}

/** byte 53 | string text (CR LF between lines) | string language */
export function encodeBanner(text: string): Buffer {
  return new ByteWriter(text.length + 16).u8(USERAUTH_BANNER).string(text).string('').finish();
}

/** byte 60 | string algorithm | string key, both as the query had them */
export function encodeKeyAcceptable(algorithm: string, blob: Uint8Array): Buffer {
  return new ByteWriter(blob.length + 128).u8(PK_OK).string(algorithm).string(blob).finish();
}

/** byte 60 | string name | string instruction | string language | u32 count | count times (string prompt | bool echo) */
export function encodeInfoRequest(name: string, instruction: string, prompts: readonly SshPrompt[]): Buffer {
  const writer = new ByteWriter(128).u8(INFO_REQUEST).string(name).string(instruction).string('');
  writer.u32(prompts.length);
  for (const { text, echo } of prompts) writer.string(text).bool(echo);
  return writer.finish();
}
