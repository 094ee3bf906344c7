/** STOR, APPE and STOU: one file from the client. */
import { setTimeout as delay } from 'node:timers/promises';
import { randomInt } from 'node:crypto';
import { openUploadPump, type UploadMover } from '../../transfer/open-upload-pump.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { UploadMode, UploadTarget, VirtualPath } from '../../vfs/types.ts';
import { finishFileTransfer } from '../finish-file-transfer.ts';
import { replyForFsError } from '../reply-for-error.ts';
import type { FtpSession } from '../session-types.ts';
import { permitTransfer, rateLimit, sizeLimit } from '../transfer-limits.ts';
import { TransferRun, type TransferOutcome, type TransferPlan } from '../transfer-run.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { takeTransferStart, typeWord, type TransferStart } from './transfer-start.ts';

type StoreVerb = 'STOR' | 'APPE' | 'STOU';

interface OpenUpload {
  readonly verb: StoreVerb;
  /** The client's name for the file, for replies. */
  readonly name: string;
  readonly target: UploadTarget;
  readonly start: TransferStart;
}

/** STOR pathname; after REST or RANG in place, from that byte on. */
export function store(session: FtpSession, argument: string): Promise<Reply> {
  const start = takeTransferStart(session);
  const mode: UploadMode = start.offset > 0 ? { kind: 'restart', offset: start.offset } : { kind: 'store' };
  return upload(session, 'STOR', argument, start, (path) => session.vfs.openWrite(path, mode, 'STOR'));
}

/** APPE pathname. REST has no meaning for it and is dropped. */
export function append(session: FtpSession, argument: string): Promise<Reply> {
  takeTransferStart(session);
  const start: TransferStart = { offset: 0, length: null };
  return upload(session, 'APPE', argument, start, (path) =>
    session.vfs.openWrite(path, { kind: 'append' }, 'APPE'),
  );
}

const UNIQUE_ATTEMPTS = 32;
const UNIQUE_LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** STOU: the server chooses the name, StoreUniquePrefix and six characters; an argument is ignored (RFC 959). */
export async function storeUnique(session: FtpSession, _argument: string): Promise<Reply> {
  const start = takeTransferStart(session);
  if (start.offset > 0) return reply(550, 'STOU incompatible with REST');
  const { storeUniquePrefix } = session.directoryConfig.settings;
  for (let attempt = 0; attempt < UNIQUE_ATTEMPTS; attempt += 1) {
    const name = storeUniquePrefix + uniqueSuffix();
    let target: UploadTarget;
    try {
      target = session.vfs.openWrite(session.vfs.resolve(name), { kind: 'unique' }, 'STOU');
    } catch (error) {
      if (error instanceof FsError && (error.code === 'exists' || error.code === 'overwrite-denied'))
        continue;
      if (error instanceof FsError) return replyForFsError(error, name, 'STOU');
      throw error;
    }
    return receiveFile(session, { verb: 'STOU', name, target, start });
  }
  return reply(450, 'STOU: unable to find an unused file name');
}

function uniqueSuffix(): string {
  let suffix = '';
  for (let index = 0; index < 6; index += 1) suffix += UNIQUE_LETTERS[randomInt(UNIQUE_LETTERS.length)];
  return suffix;
}

async function upload(
  session: FtpSession,
  verb: StoreVerb,
  argument: string,
  start: TransferStart,
  open: (path: VirtualPath) => UploadTarget,
): Promise<Reply> {
  let target: UploadTarget;
  try {
    const path = session.vfs.resolve(argument);
    session.logged.clientPath = path;
    session.logged.realPath = session.vfs.realPath(path);
    target = open(path);
  } catch (error) {
    if (error instanceof FsError) return replyForFsError(error, argument, verb);
    throw error;
  }
  return receiveFile(session, { verb, name: argument, target, start });
}

/** From here on the target is either committed or aborted. */
async function receiveFile(session: FtpSession, open: OpenUpload): Promise<Reply> {
  const { target } = open;
  session.logged.clientPath = target.virtualPath;
  session.logged.realPath = target.realPath;
  let settled = false;
  let received = 0;
  try {
    const permit = await permitTransfer(session, target.settings, open.verb, open.name);
    if (!permit.ok) return permit.reply;
    try {
      const { run, written } = planUpload(session, open);
      let outcome = await run.run();
      received = written();
      if (outcome.kind === 'completed' && (await clientIsGone(session, run))) {
        outcome = { kind: 'failed', failure: { kind: 'connection-lost' } };
      } else if (outcome.kind === 'completed') {
        settled = true;
        outcome = commit(target);
      }
      return await finishFileTransfer(session, run, outcome, {
        direction: 'upload',
        realPath: target.realPath,
        ascii: isAscii(session, open),
        offset: target.offset,
        fileSize: target.offset + received,
        fileModified: target.previousSize !== null,
      });
    } finally {
      await permit.release();
    }
  } finally {
    if (!settled) target.abort(received);
  }
}

/** The longest wait for the end of the control connection, and its share of the transfer's duration. */
const GONE_WAIT_MS = 20;
const GONE_WAIT_SHARE = 0.2;
/** A transfer this short was sent in one piece; its rate counts more than the moment in which its client could die. */
const SHORT_TRANSFER_MS = 5;

/**
 * In stream mode the end of the data connection is the end of the file (RFC 959, section 3.4.1), but a client that is
 * killed ends both its connections in order, the data connection often first. So the control connection gets a moment
 * to end as well before half a file takes the place of a whole one.
 */
async function clientIsGone(session: FtpSession, run: TransferRun): Promise<boolean> {
  const duration = performance.now() - run.startedAt;
  if (duration > SHORT_TRANSFER_MS) await delay(Math.min(GONE_WAIT_MS, duration * GONE_WAIT_SHARE));
  return session.control.ended;
}

/** Moving the finished upload to its name can fail too (disk full, a directory in the way): then it is no success. */
function commit(target: UploadTarget): TransferOutcome {
  try {
    target.commit();
    return { kind: 'completed' };
  } catch (error) {
    if (error instanceof FsError) return { kind: 'failed', failure: { kind: 'file', error } };
    throw error;
  }
}

function planUpload(
  session: FtpSession,
  open: OpenUpload,
): { readonly run: TransferRun; readonly written: () => number } {
  const { target, verb, name, start } = open;
  const { settings } = target;
  const limit = sizeLimit(session, settings.maxStoreFileSize);
  const room = Math.min(limit === null ? Infinity : limit - target.offset, start.length ?? Infinity);
  let pump: UploadMover | null = null;
  const plan: TransferPlan = {
    verb,
    direction: 'upload',
    clientPath: target.virtualPath,
    totalBytes: null,
    opening:
      verb === 'STOU' ? `FILE: ${name}` : `Opening ${typeWord(session)} mode data connection for ${name}`,
    mover: (stream, progress) => {
      pump = openUploadPump(stream, {
        descriptor: target.descriptor,
        offset: target.offset,
        room,
        limit: limit ?? target.offset + room,
        ascii: isAscii(session, open),
        bufferSize: settings.transferBufferSize,
        rate: rateLimit(session, settings, verb),
        progress,
      });
      return pump;
    },
  };
  return { run: new TransferRun(session, plan), written: () => pump?.written ?? 0 };
}

function isAscii(session: FtpSession, open: OpenUpload): boolean {
  const { settings } = open.target;
  return session.transferType === 'ascii' && !settings.transferOptions.includes('IgnoreASCII');
}
