/** The byte vectors of sftp-protocol, section 16, and the rules around them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteError, ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import {
  NO_ATTRIBUTES,
  parseAttributes,
  writeAttributes,
  type FileAttributes,
} from '../../../workers/sftp/wire/attributes.ts';
import { MessageType, type SftpVersion } from '../../../workers/sftp/wire/message-types.ts';
import { parseOpen } from '../../../workers/sftp/wire/open-request.ts';
import { PacketDecoder, PacketError } from '../../../workers/sftp/wire/packet-decoder.ts';
import { PathTextError, readPath } from '../../../workers/sftp/wire/path-text.ts';
import { encodeExtendedReply, encodeNames, encodeVersion } from '../../../workers/sftp/wire/replies.ts';
import {
  StatusCode,
  codeForVersion,
  encodeOkStatuses,
  encodeStatus,
} from '../../../workers/sftp/wire/status.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

function decode(bytes: Buffer): { type: number; id: number; reader: ByteReader } {
  const decoder = new PacketDecoder();
  decoder.push(bytes);
  const message = decoder.next();
  assert.ok(message);
  return { type: message.type, id: message.id, reader: new ByteReader(message.body) };
}

function encodeAttributes(attributes: Partial<FileAttributes>, version: SftpVersion): string {
  const writer = new ByteWriter();
  writeAttributes(writer, { ...NO_ATTRIBUTES, ...attributes }, version);
  return writer.finish().toString('hex');
}

test('INIT of a version 6 client', () => {
  const { type, reader } = decode(hex('000000050100000006'));
  assert.equal(type, MessageType.INIT);
  assert.equal(reader.u32(), 6);
});

test('VERSION with one pair', () => {
  assert.equal(
    encodeVersion(3, [['limits@openssh.com', '1']]).toString('hex'),
    '000000200200000003000000126c696d697473406f70656e7373682e636f6d0000000131',
  );
});

test('STATUS of the end of a file', () => {
  assert.equal(
    encodeStatus(3, 7, StatusCode.EOF).toString('hex'),
    '0000001c6500000007000000010000000b456e64206f662066696c6500000000',
  );
});

const v3File = '0000000f0000000000000005000003e8000003e8000081a46553f1006553f101';
test('ATTRS of version 3, written and read', () => {
  const attributes = {
    ...{ size: 5, uid: 1000, gid: 1000, permissions: 0o100644 },
    accessTime: { seconds: 1_700_000_000, nanoseconds: 0 },
    modifyTime: { seconds: 1_700_000_001, nanoseconds: 0 },
  };
  assert.equal(encodeAttributes(attributes, 3), v3File);
  const read = parseAttributes(new ByteReader(hex(v3File)), 3);
  assert.deepEqual(read, { ...NO_ATTRIBUTES, ...attributes, permissions: 0o644 });
});

const namedFile =
  '000001ad01000000000000000500000002616c000000057573657273000001a4000000006553f10000000000000000006553f101000001f4';
for (const version of [4, 5, 6] as const) {
  test(`ATTRS of version ${version} with names and parts of seconds, written and read`, () => {
    const attributes = {
      ...{ type: 1, size: 5, permissions: 0o644, owner: 'al', group: 'users' },
      accessTime: { seconds: 1_700_000_000, nanoseconds: 0 },
      modifyTime: { seconds: 1_700_000_001, nanoseconds: 500 },
    };
    assert.equal(encodeAttributes(attributes, version), namedFile);
    assert.deepEqual(parseAttributes(new ByteReader(hex(namedFile)), version), {
      ...NO_ATTRIBUTES,
      ...attributes,
    });
  });
}

test('ATTRS of version 6 with a time before 1970, bits and links', () => {
  const bytes =
    '000022a502000000000000100000000002616c000000057573657273000001edffffffffffffffff000000040000000400000002';
  const attributes = {
    ...{ type: 2, size: 4096, permissions: 0o755, owner: 'al', group: 'users', linkCount: 2 },
    modifyTime: { seconds: -1, nanoseconds: 0 },
    bits: { bits: 4, valid: 4 },
  };
  assert.equal(encodeAttributes(attributes, 6), bytes);
  assert.deepEqual(parseAttributes(new ByteReader(hex(bytes)), 6), { ...NO_ATTRIBUTES, ...attributes });
});

test('version 3 times stop at their ends', () => {
  const time = (seconds: number): FileAttributes['accessTime'] => ({ seconds, nanoseconds: 0 });
  const bytes = encodeAttributes({ accessTime: time(-5), modifyTime: time(2 ** 40) }, 3);
  assert.equal(bytes, '0000000800000000ffffffff');
});

test('a flag of another version, absurd times and too many pairs are malformed', () => {
  const parse = (bytes: string, version: SftpVersion): void =>
    void parseAttributes(new ByteReader(hex(bytes)), version);
  assert.throws(() => parse('0000020001', 4), ByteError);
  assert.throws(() => parse('00000008017fffffffffffffff', 6), ByteError);
  assert.throws(() => parse('000001080100000000000000003b9aca00', 6), ByteError);
  assert.throws(() => parse('80000000000003e8', 3), ByteError);
});

test('OPEN to write, create and truncate in version 3 and in version 6', () => {
  const three = decode(hex('000000130300000001000000022f610000001a00000000'));
  const six = decode(hex('000000180300000001000000022f6100000002000000010000000001'));
  for (const [{ type, id, reader }, version] of [
    [three, 3],
    [six, 6],
  ] as const) {
    assert.equal(type, MessageType.OPEN);
    assert.equal(id, 1);
    const open = parseOpen(reader, version);
    const { path, read, write, append, create, truncate, exclusive } = open;
    assert.deepEqual(
      { path, read, write, append, create, truncate, exclusive },
      { path: '/a', read: false, write: true, append: false, create: true, truncate: true, exclusive: false },
    );
    assert.equal(open.contradictory || open.unsupported, false);
    reader.end();
  }
});

test('OPEN that asks for nothing, or for locks and ACLs', () => {
  const open = (access: number, flags: number): ReturnType<typeof parseOpen> => {
    const writer = new ByteWriter().string('/a').u32(access).u32(flags).u32(0).u8(1);
    return parseOpen(new ByteReader(writer.finish()), 6);
  };
  assert.equal(open(0x80, 2).contradictory, true);
  assert.equal(open(0x1, 7).contradictory, true);
  assert.equal(open(0x1, 0x42).unsupported, true);
  assert.equal(open(0x20001, 2).unsupported, true);
  assert.equal(open(0x10000 | 0x1, 2).unsupported, false);
});

test("SYMLINK in the order of OpenSSH, LINK of version 6 in the draft's", () => {
  const symlink = decode(hex('000000111400000002000000022f74000000022f6c'));
  assert.deepEqual(
    [symlink.type, symlink.id, readPath(symlink.reader, 3), readPath(symlink.reader, 3)],
    [20, 2, '/t', '/l'],
  );
  const link = decode(hex('000000121500000002000000022f6c000000022f7401'));
  assert.deepEqual(
    [link.type, readPath(link.reader, 6), readPath(link.reader, 6), link.reader.bool()],
    [21, '/l', '/t', true],
  );
});

test('the reply of check-file: algorithm, then digests without a count', () => {
  const digest = Buffer.alloc(32, 0xab);
  const reply = encodeExtendedReply(9, (writer) => writer.string('sha256').raw(digest));
  assert.equal(reply.toString('hex'), `0000002fc900000009${'00000006736861323536'}${digest.toString('hex')}`);
});

test('codes above those of a version become ones it knows', () => {
  assert.equal(codeForVersion(StatusCode.FILE_ALREADY_EXISTS, 3), StatusCode.FAILURE);
  assert.equal(codeForVersion(StatusCode.FILE_ALREADY_EXISTS, 4), StatusCode.FILE_ALREADY_EXISTS);
  assert.equal(codeForVersion(StatusCode.WRITE_PROTECT, 3), StatusCode.PERMISSION_DENIED);
  assert.equal(codeForVersion(StatusCode.NO_SUCH_PATH, 3), StatusCode.NO_SUCH_FILE);
  for (const code of Object.values(StatusCode)) assert.ok(codeForVersion(code, 3) <= 8);
});

test('versions 1 and 2 get no text, and error data is for version 5 and later', () => {
  assert.equal(encodeStatus(2, 1, StatusCode.OK).toString('hex'), '00000009650000000100000000');
  const four = encodeStatus(4, 1, StatusCode.UNKNOWN_PRINCIPAL, 'x', ['bob']);
  const five = encodeStatus(5, 1, StatusCode.UNKNOWN_PRINCIPAL, 'x', ['bob']);
  assert.equal(five.length, four.length + 7);
  assert.equal(five.readUInt32BE(0), five.length - 4);
});

test('many acknowledgements in one buffer are as many STATUS messages', () => {
  const one = encodeStatus(3, 5, StatusCode.OK);
  const two = encodeStatus(3, 0xffff_ffff, StatusCode.OK);
  assert.deepEqual(encodeOkStatuses(3, [5, 0xffff_ffff]), Buffer.concat([one, two]));
});

test('version 6 ends a list with its bool, earlier ones do not', () => {
  const entry = { name: 'a', longName: 'l', attributes: NO_ATTRIBUTES };
  assert.equal(encodeNames(6, 1, [entry], true).at(-1), 1);
  assert.equal(encodeNames(6, 1, [entry], true).length, encodeNames(5, 1, [entry], true).length + 1);
});

const pathIn = (bytes: Buffer, version: SftpVersion): string =>
  readPath(new ByteReader(new ByteWriter().string(bytes).finish()), version);

test('names that are too long or hold NUL are no paths, and none but UTF-8 is one from version 4 on', () => {
  for (const bytes of [Buffer.alloc(4097, 0x61), Buffer.from('a\0b')]) {
    for (const version of [3, 4] as const) assert.throws(() => pathIn(bytes, version), PathTextError);
  }
  assert.throws(() => pathIn(hex('ff'), 4), PathTextError);
  assert.equal(pathIn(hex('ff'), 3), '\udcff');
});

test('a name of any bytes leaves as it is in version 3, and as UTF-8 in later ones', () => {
  const entry = { name: 'a\udce9', longName: 'l a\udce9', attributes: NO_ATTRIBUTES };
  assert.ok(encodeNames(3, 1, [entry], null).includes(hex('0000000261e9000000046c2061e9')));
  assert.ok(encodeNames(4, 1, [entry], null).includes(hex('0000000461efbfbd')));
});

test('a message of length 0, of more than the bound, or without an id ends the stream', () => {
  for (const bytes of ['0000000001', '0004040105', '0000000403000000']) {
    const decoder = new PacketDecoder();
    decoder.push(hex(bytes));
    assert.throws(() => decoder.next(), PacketError);
  }
});
