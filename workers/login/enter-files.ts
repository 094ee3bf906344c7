/** The file system of a login: CreateHome, DefaultRoot, start directory (core reference, sections 3 and 16). */
import type { Account } from '../../src/actor/messages.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import { matchesGroups } from '../../src/config/name-expression.ts';
import type { AnonymousSection, RootedDirectory, Settings } from '../../src/config/server-config.ts';
import type { SessionContext } from '../session/session-context.ts';
import { createHome } from '../vfs/create-home.ts';
import { textForFsError } from '../vfs/fs-error-text.ts';
import { FsError } from '../vfs/fs-error.ts';
import { createOwnerNames } from '../vfs/owner-names.ts';
import type { VirtualFileSystem } from '../vfs/types.ts';
import { createVirtualFileSystem } from '../vfs/virtual-file-system.ts';
import { belowRoot } from '../vfs/virtual-path.ts';

/** The session on its way in; its configuration is narrowed to the user already. */
export interface EnteringSession {
  readonly context: SessionContext;
  readonly config: EffectiveConfig;
  readonly settings: Settings;
}

export interface EnteredFiles {
  readonly vfs: VirtualFileSystem;
}

interface Root {
  /** As configured. */
  readonly configured: string;
  /** Absolute real path. */
  readonly path: string;
}

/** Opens the session's files with its configuration already narrowed to the user; null when that failed (logged). */
export function enterFiles(
  session: EnteringSession,
  account: Account,
  section: AnonymousSection | null,
): EnteredFiles | null {
  const home = stripTrailingSlash(account.home);
  if (section === null && !makeHome(session, account, home)) return null;
  const root = section === null ? rootFor(session, home) : { configured: section.root, path: home };
  const vfs = openFiles(session, account, home, root);
  if (vfs === null) return null;
  if (!enterStartDirectory(session, vfs, home)) {
    vfs.close();
    return null;
  }
  return { vfs };
}

function makeHome(session: EnteringSession, account: Account, home: string): boolean {
  const { settings, config, context } = session;
  if (!settings.createHome.enabled) return true;
  try {
    createHome({
      settings: settings.createHome,
      home,
      uid: account.uid,
      gid: account.gid,
      groupIds: account.groupIds,
      actsAsUsers: config.server.actsAsUsers,
      warn: (text) => context.log.system('warn', text),
    });
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    // The start directory decides whether the login can go on without it.
    context.log.system('warn', `CreateHome: unable to create '${home}': ${textForFsError(error)}`);
  }
  return true;
}

function rootFor(session: EnteringSession, home: string): Root {
  const chosen = firstFor(session, session.settings.defaultRoot);
  return chosen === null
    ? { configured: '/', path: '/' }
    : { configured: chosen, path: expandHome(chosen, home) };
}

/** The first line whose group expression fits the user. */
function firstFor(session: EnteringSession, lines: readonly RootedDirectory[]): string | null {
  const { principal } = session.config;
  const line = lines.find(({ groups }) => groups === undefined || matchesGroups(groups, principal));
  return line?.path ?? null;
}

function openFiles(
  session: EnteringSession,
  account: Account,
  home: string,
  root: Root,
): VirtualFileSystem | null {
  const { config, context } = session;
  const { uid, gid, groupIds } = account;
  try {
    return createVirtualFileSystem({
      root: root.path,
      home,
      identity: config.server.actsAsUsers ? { uid, gid, groupIds } : null,
      config,
      owners: createOwnerNames(session.settings, account),
      warn: (text) => context.log.system('warn', text),
    });
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const resolved = root.configured === root.path ? '' : ` [resolved to '${root.path}']`;
    context.log.system(
      'notice',
      `notice: unable to use DefaultRoot '${root.configured}'${resolved}: ${textForFsError(error)}`,
    );
    context.log.system('error', 'error: unable to set DefaultRoot directory');
    return null;
  }
}

/** DefaultChdir, else the home; inside a root the last resort is `/`. In <Anonymous> only the section's own counts. */
function enterStartDirectory(session: EnteringSession, vfs: VirtualFileSystem, home: string): boolean {
  const { anonymous } = session.config;
  const lines = anonymous === null ? session.settings.defaultChdir : (anonymous.settings.defaultChdir ?? []);
  const chosen = firstFor(session, lines);
  const wanted = chosen === null ? home : expandHome(chosen, home);
  const candidates = vfs.root === '/' ? [wanted, home] : [wanted, home, vfs.root];
  let failure: FsError | null = null;
  for (const candidate of candidates) {
    try {
      // Being logged in somewhere is no CWD of the client's: `<Limit CWD>` does not keep anybody out.
      vfs.changeDirectory(vfs.resolve(belowRoot(vfs.root, candidate) ?? candidate), 'LOGIN');
      return true;
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      failure = error;
    }
  }
  const reason = failure === null ? 'Operation not permitted' : textForFsError(failure);
  session.context.log.system(
    'notice',
    `${session.context.facts.user ?? ''} chdir("${home}") failed: ${reason}`,
  );
  return false;
}

function expandHome(path: string, home: string): string {
  if (path === '~') return home;
  if (path.startsWith('~/')) return stripTrailingSlash(`${home === '/' ? '' : home}${path.slice(1)}`);
  return stripTrailingSlash(path);
}

function stripTrailingSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}
