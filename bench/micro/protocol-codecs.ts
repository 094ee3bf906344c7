/** Bytes to messages and back: FTP command lines, SFTP requests and answers. */
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { LineDecoder } from '../../workers/ftp/wire/line-decoder.ts';
import { MessageType } from '../../workers/sftp/wire/message-types.ts';
import { PacketDecoder } from '../../workers/sftp/wire/packet-decoder.ts';
import { DATA_HEAD_BYTES, writeDataHead } from '../../workers/sftp/wire/replies.ts';
import { operation, suite } from './operation.ts';

const COUNT = 5000;

function sftpRequest(type: number, data: Buffer | null): Buffer {
  const body = new ByteWriter().u8(type).u32(7).string('handle01').u64(65_536);
  if (data === null) body.u32(32_768);
  else body.string(data);
  return Buffer.from(new ByteWriter().string(body.finish()).finish());
}

suite('FTP command line', () => {
  const decoder = new LineDecoder(512);
  const line = Buffer.from('RETR some/folder/with-a-file-name.bin\r\n');
  operation('decode', COUNT, () => {
    decoder.push(line);
    return decoder.next();
  });
});

suite('SFTP', () => {
  const decoder = new PacketDecoder();
  const read = sftpRequest(MessageType.READ, null);
  const write = sftpRequest(MessageType.WRITE, Buffer.alloc(32_768));
  operation('READ, decode and parse', COUNT, () => {
    decoder.push(read);
    const reader = new ByteReader(decoder.next()!.body);
    reader.string();
    return reader.safeU64() + reader.u32();
  });
  operation('WRITE of 32 KiB, decode', COUNT, () => {
    decoder.push(write);
    return decoder.next()!.data;
  });
  const head = Buffer.alloc(64);
  operation('DATA, head', COUNT, () => {
    writeDataHead(head, 0, 7, 32_768, 0);
    return head[DATA_HEAD_BYTES - 1];
  });
});
