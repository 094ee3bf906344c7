/** A file system of one session over a temporary directory, with a configuration made of plain values. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_SETTINGS } from '../../src/config/default-settings.ts';
import type { EffectiveConfig, PathConfig, Principal } from '../../src/config/effective-config.ts';
import type { LimitSection, ServerConfig, Settings, VirtualHost } from '../../src/config/server-config.ts';
import type { Identity, OwnerNames, VirtualFileSystem } from '../../workers/vfs/types.ts';
import type { JailKind } from '../../workers/vfs/root-jail.ts';
import { createVirtualFileSystem } from '../../workers/vfs/virtual-file-system.ts';

export interface FixtureOptions {
  readonly settings?: Partial<Settings>;
  /** Server-level sections. */
  readonly limits?: readonly LimitSection[];
  /** Sections and settings by directory, as path below the root. */
  readonly directories?: Readonly<
    Record<string, { limits?: readonly LimitSection[]; settings?: Partial<Settings> }>
  >;
  readonly identity?: Identity | null;
  readonly jail?: JailKind;
  readonly principal?: Partial<Principal>;
  readonly home?: string;
}

export interface VfsFixture extends Disposable {
  /** Holds `root` and, beside it, `outside`. */
  readonly base: string;
  readonly root: string;
  readonly outside: string;
  readonly vfs: VirtualFileSystem;
  readonly warnings: string[];
  /** Another session over the same files. */
  open(options?: FixtureOptions): VirtualFileSystem;
  /** Another session with another root. */
  openAt(root: string, options?: FixtureOptions): VirtualFileSystem;
}

const owners: OwnerNames = {
  userName: (uid) => `user${uid}`,
  groupName: (gid) => `group${gid}`,
  uidOf: (name) => numberBehind('user', name),
  gidOf: (name) => numberBehind('group', name),
};

function numberBehind(prefix: string, name: string): number | null {
  return name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))
    ? Number(name.slice(prefix.length))
    : null;
}

export function openVfsFixture(options: FixtureOptions = {}): VfsFixture {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'lockgate-vfs-')));
  chmodSync(base, 0o755);
  const root = join(base, 'root');
  const outside = join(base, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  chmodSync(root, 0o777);
  const warnings: string[] = [];
  const opened: VirtualFileSystem[] = [];
  const openAt = (at: string, more: FixtureOptions = {}): VirtualFileSystem => {
    const config = fixtureConfig(at, more);
    const identity = more.identity ?? null;
    const home = more.home ?? at;
    const warn = (text: string): void => void warnings.push(text);
    const vfs = createVirtualFileSystem({ root: at, home, identity, config, owners, warn }, more.jail);
    opened.push(vfs);
    return vfs;
  };
  const open = (more?: FixtureOptions): VirtualFileSystem => openAt(root, more);
  return {
    base,
    root,
    outside,
    vfs: open(options),
    warnings,
    open,
    openAt,
    [Symbol.dispose]() {
      for (const vfs of opened) vfs.close();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function fixtureConfig(root: string, options: FixtureOptions): EffectiveConfig {
  const settings: Settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const principal: Principal = {
    address: '127.0.0.1',
    hostName: '127.0.0.1',
    className: null,
    user: 'alice',
    groups: ['staff'],
    authenticated: true,
    ...options.principal,
  };
  const serverLevel = options.limits === undefined ? [] : [options.limits];
  const session: PathConfig = { settings, limitLevels: serverLevel };
  const sections = Object.entries(options.directories ?? {}).sort(([a], [b]) => b.length - a.length);
  const config: EffectiveConfig = {
    server: { defines: [] } as unknown as ServerConfig,
    virtualHost: {} as VirtualHost,
    anonymous: null,
    principal,
    settings,
    limitLevels: serverLevel,
    withPrincipal: () => config,
    withVirtualHost: () => config,
    forPath(realPath, _home, ftpAccess) {
      const levels: (readonly LimitSection[])[] = [];
      let merged: Partial<Settings> = {};
      if (settings.allowOverride) {
        for (let directory = realPath; ; directory = directory.slice(0, directory.lastIndexOf('/')) || '/') {
          const scope = ftpAccess(directory);
          if (scope !== null) {
            levels.push(scope.limits);
            merged = { ...scope.settings, ...merged };
          }
          if (directory === '/') break;
        }
      }
      for (const [path, section] of sections) {
        const full = join(root, path);
        if (realPath !== full && !realPath.startsWith(`${full}/`)) continue;
        levels.push(section.limits ?? []);
        merged = { ...section.settings, ...merged };
      }
      if (levels.length === 0) return session;
      return { settings: { ...settings, ...merged }, limitLevels: [...levels, ...serverLevel] };
    },
  };
  return config;
}

/** `<Limit commands> DenyAll`. */
export function denyAll(...commands: string[]): LimitSection {
  return { ...emptyLimit(commands), denyAll: true };
}

/** `<Limit commands> AllowAll`. */
export function allowAll(...commands: string[]): LimitSection {
  return { ...emptyLimit(commands), allowAll: true };
}

export function emptyLimit(commands: readonly string[]): LimitSection {
  return {
    commands,
    order: 'allow,deny',
    allowAll: false,
    denyAll: false,
    allowFrom: [],
    denyFrom: [],
    allowUser: [],
    denyUser: [],
    allowGroup: [],
    denyGroup: [],
    allowClass: [],
    denyClass: [],
    ignoreHidden: false,
    location: { file: 'test.conf', line: 1 },
  };
}
