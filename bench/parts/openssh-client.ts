/** OpenSSH's own clients as load: what most people use, and the only measure of SCP. Login is part of the time. */
import type { Measure } from '../harness/part.ts';
import type { Sizes } from '../harness/sizes.ts';
import { transferFloor } from '../floors/transfer-floor.ts';
import { runOpenssh, type OpensshTransfer } from '../load/openssh-load.ts';
import { SSH_SERVER } from '../peers/peer.ts';
import { rateMetrics, throughputMetrics } from './metrics.ts';
import { SFTP_CTR, SFTP_GCM, type CipherWork, type Way } from './targets.ts';
import type { Direction } from './transfer.ts';

interface OpensshWay {
  readonly name: string;
  readonly program: OpensshTransfer['program'];
  readonly cipher: string;
  readonly mac: string | null;
  readonly ciphers: readonly CipherWork[];
}

const GCM = { cipher: 'aes256-gcm@openssh.com', mac: null, ciphers: SFTP_GCM.ciphers };
const CTR = { cipher: 'aes256-ctr', mac: 'hmac-sha2-256-etm@openssh.com', ciphers: SFTP_CTR.ciphers };

const WAYS: readonly OpensshWay[] = [
  { name: nameOf(SFTP_GCM), program: 'sftp', ...GCM },
  { name: nameOf(SFTP_CTR), program: 'sftp', ...CTR },
  { name: "SCP aes256-gcm, OpenSSH's client", program: 'scp', ...GCM },
];

function nameOf(way: Way): string {
  return `${way.name}, OpenSSH's client`;
}

/** Bulk transfers of the part `transfer`. */
export function opensshMeasures(sizes: Sizes): Measure[] {
  return WAYS.flatMap((way) =>
    (['download', 'upload'] as const).map((direction) => bulk(way, direction, sizes.bigBytes)),
  );
}

function bulk(way: OpensshWay, direction: Direction, bytes: number): Measure {
  return {
    name: `${way.name}, ${direction}`,
    variant: SSH_SERVER,
    run: async (server, { fixture, cleanup }) => {
      fixture.files.removeUploads();
      const file = fixture.files.big(bytes);
      const what = {
        ...way,
        direction,
        recursive: false,
        remote: direction === 'download' ? file : 'upload/0.bin',
      };
      const local = direction === 'download' ? null : fixture.files.path(file);
      return throughputMetrics(bytes, 1, await runOpenssh(server, fixture, cleanup, { ...what, local }));
    },
    floor: (context) => transferFloor(context, way.ciphers, direction),
  };
}

/** `sftp -r` of a folder of small files, of the part `small-files`. */
export function opensshFolderMeasure(sizes: Sizes): Measure {
  return {
    name: `sftp -r of ${sizes.smallFiles} files, OpenSSH's client`,
    variant: SSH_SERVER,
    run: async (server, { fixture, cleanup }) => {
      const remote = fixture.files.smallFolder(sizes.smallFiles);
      const result = await runOpenssh(server, fixture, cleanup, {
        program: 'sftp',
        cipher: GCM.cipher,
        mac: null,
        direction: 'download',
        recursive: true,
        remote,
        local: null,
      });
      return rateMetrics('files', { ...result, count: sizes.smallFiles });
    },
  };
}
