/** Hostile and split bytes: the decoder, the codecs, and a whole channel over a real file system. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { NO_ATTRIBUTES, parseAttributes, writeAttributes } from '../../workers/sftp/wire/attributes.ts';
import { MAX_MESSAGE_BYTES, MessageType, type SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import { parseOpen } from '../../workers/sftp/wire/open-request.ts';
import { PacketDecoder, PacketError, type Message } from '../../workers/sftp/wire/packet-decoder.ts';
import { PathTextError } from '../../workers/sftp/wire/path-text.ts';
import { fakeSshSession } from '../support/fake-ssh-channel.ts';
import { SftpClient, packet } from '../support/sftp-client.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

const version = fc.constantFrom<SftpVersion>(3, 4, 5, 6);

const write = fc.record({
  id: fc.nat({ max: 0xffff_ffff }),
  handle: fc.uint8Array({ maxLength: 256 }),
  offset: fc.maxSafeNat(),
  data: fc.uint8Array({ maxLength: 3000 }),
});
const other = fc.record({
  type: fc.integer({ min: 7, max: 255 }),
  id: fc.nat({ max: 0xffff_ffff }),
  body: fc.uint8Array({ maxLength: 300 }),
});

/** Cuts `bytes` at the given places. */
function* split(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  let from = 0;
  for (const place of [...places, bytes.length]) {
    yield bytes.subarray(from, place);
    from = place;
  }
}

test('messages come out as they went in, however the stream is split', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(write, other), { maxLength: 12 }),
      fc.oneof(fc.array(fc.nat(), { maxLength: 30 }), fc.constant(null)),
      (messages, cuts) => {
        const bytes = Buffer.concat(
          messages.map((message) => {
            if ('type' in message) {
              return packet(new ByteWriter().u8(message.type).u32(message.id).raw(message.body).finish());
            }
            const { id, handle, offset, data } = message;
            const writer = new ByteWriter().u8(MessageType.WRITE).u32(id).string(handle).u64(offset);
            return packet(writer.string(data).finish());
          }),
        );
        const decoder = new PacketDecoder();
        const found: Message[] = [];
        // Null: every byte on its own.
        for (const piece of split(bytes, cuts ?? Array.from(bytes.keys()))) {
          decoder.push(piece);
          for (let next = decoder.next(); next !== null; next = decoder.next()) found.push(next);
        }
        assert.equal(decoder.buffered, 0);
        assert.equal(found.length, messages.length);
        for (const [index, message] of messages.entries()) {
          const got = found[index]!;
          assert.equal(got.id, message.id);
          if ('type' in message) assert.deepEqual(got.body, Buffer.from(message.body));
          else {
            assert.deepEqual(Buffer.concat(got.data!), Buffer.from(message.data));
            const reader = new ByteReader(got.body);
            assert.deepEqual(reader.string(), Buffer.from(message.handle));
            assert.equal(reader.safeU64(), message.offset);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('a WRITE whose lengths lie is never more than the message it came in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (body) => {
      const decoder = new PacketDecoder();
      decoder.push(packet(new ByteWriter().u8(MessageType.WRITE).u32(1).raw(body).finish()));
      const message = decoder.next();
      assert.ok(message);
      assert.equal(decoder.buffered, 0);
      const data = message.data?.reduce((sum, piece) => sum + piece.length, 0) ?? 0;
      assert.ok(message.body.length + data <= body.length);
    }),
  );
});

test('any bytes are attributes and OPENs, or one of the two expected errors', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), version, (bytes, spoken) => {
      for (const parse of [parseAttributes, parseOpen]) {
        try {
          parse(new ByteReader(Buffer.from(bytes)), spoken);
        } catch (error) {
          assert.ok(error instanceof ByteError || error instanceof PathTextError);
        }
      }
    }),
    { numRuns: 500 },
  );
});

const time = fc.record(
  {
    seconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  },
  { noNullPrototype: true },
);

test('attributes of versions 4 to 6 survive being written and read', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<SftpVersion>(4, 5, 6),
      fc.record({
        type: fc.constantFrom(1, 2, 3, 4, 5),
        size: fc.option(fc.maxSafeNat()),
        permissions: fc.option(fc.integer({ min: 0, max: 0o7777 })),
        owner: fc.string(),
        group: fc.string(),
        accessTime: fc.option(time),
        createTime: fc.option(time),
        modifyTime: fc.option(time),
      }),
      (spoken, attributes) => {
        const whole = { ...NO_ATTRIBUTES, ...attributes };
        const writer = new ByteWriter();
        writeAttributes(writer, whole, spoken);
        const reader = new ByteReader(writer.finish());
        const read = parseAttributes(reader, spoken);
        reader.end();
        assert.deepEqual(read, whole);
      },
    ),
  );
});

test('a length above the bound is refused before its bytes come', () => {
  const decoder = new PacketDecoder();
  decoder.push(new ByteWriter().u32(MAX_MESSAGE_BYTES + 1).finish());
  assert.throws(() => decoder.next(), PacketError);
});

test(
  'requests cut short at every byte are answered, and the next one as well',
  { timeout: 60_000 },
  async () => {
    for (const spoken of [3, 4, 5, 6] as const) {
      using fixture = openVfsFixture({ settings: { allowOverwrite: true, allowStoreRestart: true } });
      const client = await SftpClient.connect(fakeSshSession({ vfs: fixture.vfs }), spoken);
      const whole = wholeRequests(client);
      for (const message of whole) {
        for (let length = 5; length < message.length; length += 1) {
          client.sendRaw(packet(message.subarray(0, length)));
          const reply = await client.reply();
          assert.equal(reply.id, message.readUInt32BE(1));
          assert.notEqual(reply.type, MessageType.DATA);
        }
      }
      assert.equal((await client.path(MessageType.REALPATH, '.')).type, MessageType.NAME);
      client.disconnect();
    }
  },
);

/** One of each request, without the length in front. */
function wholeRequests(client: SftpClient): Buffer[] {
  const one = (type: number, fill: (writer: ByteWriter) => void): Buffer =>
    client.encode(type, fill).bytes.subarray(4);
  const handle = Buffer.alloc(8, 1);
  const flags = (writer: ByteWriter): unknown => (client.version >= 4 ? writer.u32(1) : writer);
  const mode = { permissions: 0o644 };
  return [
    one(MessageType.OPEN, (writer) => client.writeOpen(writer, '/no/such', { read: true }, mode)),
    one(MessageType.READ, (writer) => writer.string(handle).u64(1).u32(1)),
    one(MessageType.WRITE, (writer) => writer.string(handle).u64(1).string('data')),
    one(MessageType.CLOSE, (writer) => writer.string(handle)),
    one(MessageType.STAT, (writer) => flags(writer.string('/no/such'))),
    one(MessageType.FSTAT, (writer) => flags(writer.string(handle))),
    one(MessageType.SETSTAT, (writer) => client.writeAttributes(writer.string('/no/such'), mode)),
    one(MessageType.FSETSTAT, (writer) => client.writeAttributes(writer.string(handle), mode)),
    one(MessageType.OPENDIR, (writer) => writer.string('/no/such')),
    one(MessageType.READDIR, (writer) => writer.string(handle)),
    one(MessageType.REMOVE, (writer) => writer.string('/no/such')),
    one(MessageType.MKDIR, (writer) => client.writeAttributes(writer.string('/no/such'), mode)),
    one(MessageType.RMDIR, (writer) => writer.string('/no/such')),
    one(MessageType.RENAME, (writer) => writer.string('/no/such').string('/no/other').u32(1)),
    one(MessageType.READLINK, (writer) => writer.string('/no/such')),
    one(MessageType.SYMLINK, (writer) => writer.string('/t').string('/no/such')),
    one(MessageType.LINK, (writer) => writer.string('/no/such').string('/t').bool(true)),
    one(MessageType.BLOCK, (writer) => writer.string(handle).u64(0).u64(0).u32(0x40)),
    ...[
      'posix-rename@openssh.com',
      'copy-file',
      'check-file-name',
      'limits@openssh.com',
      'users-groups-by-id@openssh.com',
    ].map((name) =>
      one(MessageType.EXTENDED, (writer) =>
        writer.string(name).string('/no/such').string('/no/other').u64(1),
      ),
    ),
  ];
}

test(
  'random requests never break the channel, and each is answered in its turn',
  { timeout: 60_000 },
  async () => {
    using fixture = openVfsFixture({ settings: { allowOverwrite: true, allowStoreRestart: true } });
    await fc.assert(
      fc.asyncProperty(
        version,
        fc.array(
          fc.record({ type: fc.integer({ min: 2, max: 202 }), body: fc.uint8Array({ maxLength: 80 }) }),
          {
            maxLength: 20,
          },
        ),
        async (spoken, requests) => {
          const client = await SftpClient.connect(fakeSshSession({ vfs: fixture.vfs }), spoken);
          const ids = requests.map(({ type, body }) => client.send(type, (writer) => writer.raw(body)));
          for (const id of ids) assert.equal((await client.reply()).id, id);
          client.disconnect();
        },
      ),
      { numRuns: 100 },
    );
  },
);
