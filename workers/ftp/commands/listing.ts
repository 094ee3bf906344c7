/** LIST, NLST, MLSD, MLST, and the listing of STAT. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Settings } from '../../../src/config/server-config.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { DirectoryCursor, VirtualPath } from '../../vfs/types.ts';
import type { FtpCommand } from '../command.ts';
import {
  findTargets,
  listing,
  listOptionsApply,
  listTargets,
  type ListingRequest,
  type ListingResult,
  type ListingTargets,
} from '../directory-listing.ts';
import { FactPresenter, factListing } from '../fact-listing.ts';
import { MLST_FACT_NAMES } from '../fact-names.ts';
import { countBytes, logFailure } from '../finish-file-transfer.ts';
import { ListingMover } from '../listing-mover.ts';
import { textForFsError } from '../../vfs/fs-error-text.ts';
import { replyForFsError } from '../reply-for-error.ts';
import { replyForTransferFailure } from '../reply-for-transfer-error.ts';
import type { FtpSession } from '../session-types.ts';
import { TransferRun, type TransferOutcome } from '../transfer-run.ts';
import { parseListArgument } from '../wire/list-options.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';
import { takeTransferStart, typeWord } from './transfer-start.ts';

const COMPLETE = reply(226, 'Transfer complete');

/** LIST NLST MLSD MLST. */
export const listingCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['LIST'],
    syntax: 'LIST [<sp> pathname]',
    limitGroup: 'DIRS',
    logClasses: ['DIRS'],
    usesDataConnection: true,
    argumentCount: null,
    run: list,
  }),
  commandRow({
    verbs: ['NLST'],
    syntax: 'NLST [<sp> (pathname)]',
    limitGroup: 'DIRS',
    logClasses: ['DIRS'],
    usesDataConnection: true,
    argumentCount: null,
    run: nameList,
  }),
  commandRow({
    verbs: ['MLSD'],
    syntax: 'MLSD [<sp> pathname]',
    limitGroup: 'DIRS',
    logClasses: ['DIRS'],
    usesDataConnection: true,
    argumentCount: null,
    run: machineList,
  }),
  commandRow({
    verbs: ['MLST'],
    syntax: 'MLST [<sp> pathname]',
    limitGroup: 'DIRS',
    logClasses: ['DIRS'],
    feature: mlstFeature,
    argumentCount: null,
    run: machineListOne,
  }),
];

/** `MLST modify*;perm*;...`: a star marks what OPTS MLST selected. */
function mlstFeature(session: FtpSession): string | null {
  if (!session.settings.factsAdvertise) return null;
  const facts = MLST_FACT_NAMES.map((name) => `${name}${session.mlstFacts.includes(name) ? '*' : ''};`);
  return `MLST ${facts.join('')}`;
}

function requestFor(session: FtpSession, verb: ListingRequest['verb'], argument: string): ListingRequest {
  const base = session.vfs.configFor(session.vfs.cwd).settings;
  const { listOptions } = base;
  const applies = listOptionsApply(listOptions, verb);
  const directive = applies ? listOptions : { ...listOptions, forced: '', removed: '', strict: false };
  const isNames = verb === 'NLST';
  const { flags, path } = parseListArgument(
    argument,
    {
      layout: isNames ? 'names' : 'long',
      sort: isNames && !listOptions.sortedNlst ? 'none' : 'name',
    },
    directive,
  );
  return { verb, flags, path, settings: settingsFor(session, path) ?? base };
}

/** Settings of the directory that is listed (`<Directory>` may change them); null when the path is none. */
function settingsFor(session: FtpSession, path: string): Settings | null {
  if (path === '') return null;
  try {
    return session.vfs.configFor(session.vfs.resolve(path)).settings;
  } catch (error) {
    if (error instanceof FsError) return null;
    throw error;
  }
}

/** LIST: the data connection opens first, then a missing path is a 450. */
async function list(session: FtpSession, argument: string): Promise<Reply> {
  takeTransferStart(session);
  const request = requestFor(session, 'LIST', argument);
  noteLogged(session, request.path);
  return sendListing(session, 'LIST', request.path, 'file list', listing(session, request), (result) =>
    listReply(request, result),
  );
}

function listReply(request: ListingRequest, result: ListingResult): Reply {
  if (result.kind === 'listed' || request.settings.listOptions.noErrorIfAbsent) return COMPLETE;
  return reply(450, `${request.path}: ${textForFsError(result.error)}`);
}

/** NLST: looks first, so that nothing found is a 450 without a data connection. */
async function nameList(session: FtpSession, argument: string): Promise<Reply> {
  takeTransferStart(session);
  const request = requestFor(session, 'NLST', argument);
  noteLogged(session, request.path);
  const targets = await runSliced(findTargets(session, request));
  if (targets.kind === 'absent') {
    if (!request.settings.listOptions.noErrorIfAbsent) return nameListRefusal(request, targets);
    return sendListing(session, 'NLST', request.path, 'file list', nothing(), () => COMPLETE);
  }
  const pieces = listTargets(session, request, targets.matches);
  return sendListing(session, 'NLST', request.path, 'file list', pieces, (result) =>
    listReply(request, result),
  );
}

function nameListRefusal(
  request: ListingRequest,
  targets: Extract<ListingTargets, { kind: 'absent' }>,
): Reply {
  if (targets.pattern) return reply(450, 'No files found');
  return reply(450, `${request.path}: ${textForFsError(targets.error)}`);
}

function* nothing(): Generator<string, void> {
  yield '';
}

/** Runs a generator to its end in slices, so that a large directory does not stop other sessions. */
async function runSliced<Result>(
  steps: Generator<string, Result>,
  take?: (piece: string) => void,
): Promise<Result> {
  let sliceStart = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    take?.(step.value);
    if (performance.now() - sliceStart > 5) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
}

async function machineList(session: FtpSession, argument: string): Promise<Reply> {
  takeTransferStart(session);
  let path: VirtualPath;
  let cursor: DirectoryCursor;
  try {
    path = session.vfs.resolve(argument === '' ? '.' : argument);
    noteLogged(session, argument);
    cursor = session.vfs.openDirectory(path, 'MLSD');
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    if (error.code === 'not-a-directory') return reply(550, `'${argument}' is not a directory`);
    return replyForFsError(error, argument === '' ? '.' : argument, 'MLSD');
  }
  try {
    const { settings } = session.vfs.configFor(path);
    const pieces = factListing(session, path, cursor, settings);
    return await sendListing(session, 'MLSD', argument, 'MLSD', pieces, () => COMPLETE);
  } finally {
    cursor.close();
  }
}

function machineListOne(session: FtpSession, argument: string): Reply {
  const name = argument === '' ? '.' : argument;
  try {
    const path = session.vfs.resolve(name);
    noteLogged(session, name);
    const presenter = new FactPresenter(session, session.vfs.configFor(path).settings);
    const line = presenter.line(session.vfs.entry(path, 'MLST'), path, null);
    return { code: 250, text: `Start of list for ${name}`, body: [line], end: 'End of list' };
  } catch (error) {
    if (error instanceof FsError) return replyForFsError(error, name, 'MLST');
    throw error;
  }
}

/** Opens the data connection, streams, and turns the outcome into the final reply. */
async function sendListing<Result>(
  session: FtpSession,
  verb: 'LIST' | 'NLST' | 'MLSD',
  clientPath: string,
  what: string,
  pieces: Generator<string, Result>,
  answer: (result: Result) => Reply,
): Promise<Reply> {
  let mover: ListingMover<Result> | null = null;
  const run = new TransferRun(session, {
    verb,
    direction: 'listing',
    clientPath,
    totalBytes: null,
    opening: `Opening ${typeWord(session)} mode data connection for ${what}`,
    mover: (stream, progress) => {
      mover = new ListingMover(stream, progress, pieces);
      return mover;
    },
  });
  const outcome = await run.run();
  countBytes(session, run);
  const result = (mover as ListingMover<Result> | null)?.result;
  return run.finalReply(listingReply(session, outcome, () => answer(result as Result), clientPath));
}

function listingReply(
  session: FtpSession,
  outcome: TransferOutcome,
  complete: () => Reply,
  clientPath: string,
): Reply {
  switch (outcome.kind) {
    case 'completed':
      return complete();
    case 'unopened':
      return outcome.reply;
    case 'failed':
      logFailure(session, outcome.failure, { realPath: clientPath, direction: 'download' });
      return replyForTransferFailure(outcome.failure, 'download');
  }
}

function noteLogged(session: FtpSession, argument: string): void {
  try {
    const path = session.vfs.resolve(argument === '' ? '.' : argument);
    session.logged.clientPath = path;
    session.logged.realPath = session.vfs.realPath(path);
  } catch (error) {
    // A path that cannot be resolved is reported by the listing itself; the log shows the argument.
    if (!(error instanceof FsError)) throw error;
  }
}

/** A reply has to fit into memory; longer listings have LIST. */
const MAX_STATUS_LINES = 10_000;

/** STAT path: the listing on the control connection, 211; 450 when there is nothing to list. */
export async function listToControl(session: FtpSession, argument: string): Promise<Reply> {
  const request = requestFor(session, 'STAT', argument);
  const name = request.path === '' ? '.' : request.path;
  noteLogged(session, name);
  const limited: ListingRequest = {
    ...request,
    settings: { ...request.settings, listOptions: boundedOptions(request.settings) },
  };
  let text = '';
  const result = await runSliced(listing(session, limited), (piece) => {
    text += piece;
  });
  if (result.kind === 'absent') return reply(450, `${name}: ${textForFsError(result.error)}`);
  const body = text.split('\r\n');
  if (body.at(-1) === '') body.pop();
  return { code: 211, text: `Status of ${name}:`, body, end: 'End of status' };
}

function boundedOptions(settings: Settings): Settings['listOptions'] {
  const { listOptions } = settings;
  const own =
    listOptionsApply(listOptions, 'STAT') && listOptions.maxFiles > 0
      ? listOptions.maxFiles
      : MAX_STATUS_LINES;
  return { ...listOptions, listOnly: false, nlstOnly: false, maxFiles: Math.min(own, MAX_STATUS_LINES) };
}
