/** Lines of directory listings; mode and minute change from entry to entry, so that nothing remembered helps. */
import { FactLineFormatter } from '../../workers/ftp/wire/fact-line.ts';
import { ListLineFormatter } from '../../workers/vfs/list-line.ts';
import { operation, suite } from './operation.ts';

const COUNT = 5000;
const MINUTE_MS = 60_000;
const NOW = Date.UTC(2026, 10, 21);
const FACTS = ['modify', 'perm', 'size', 'type', 'unique', 'UNIX.group', 'UNIX.mode', 'UNIX.owner'];
const rights = { read: true, write: true, execute: true };
let index = 0;

suite('listing line', () => {
  const unix = new ListLineFormatter({ style: 'Unix', gmt: true, humanSizes: false, now: NOW });
  operation('LIST', COUNT, () => {
    index += 1;
    return unix.format({
      name: 'entry-00000000000042.bin',
      mode: 0o100644,
      links: 1,
      user: 'alice',
      group: 'users',
      size: index,
      time: NOW - (index % 100_000) * MINUTE_MS,
      linkTarget: null,
    });
  });
  const facts = new FactLineFormatter(FACTS);
  operation('MLSD', COUNT, () => {
    index += 1;
    const entry = {
      type: 'file' as const,
      slinkTarget: null,
      modify: NOW - (index % 100_000) * MINUTE_MS,
      size: index,
      device: 66,
      inode: 4242,
      mode: 0o100644,
      owner: 1000,
      group: 1000,
      ownerName: 'alice',
      groupName: 'users',
      rights,
    };
    return facts.format(entry, 'entry-00000000000042.bin');
  });
});
