/** A folder with account files, a configuration around it, and an auth service whose hash jobs are recorded. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { classifyHash, verifyPasswordSync } from '../../../crypto/password-hash.ts';
import type { LoginClaim, LoginResult } from '../../../src/actor/messages.ts';
import { createAuthService } from '../../../src/auth/auth-service.ts';
import type { AuthService, LoginOrigin } from '../../../src/auth/auth-service.ts';
import type { SystemFiles } from '../../../src/auth/file-sources.ts';
import type { HashPool, HashVerdict } from '../../../src/auth/password-pool.ts';
import type {
  AnonymousSection,
  LimitSection,
  PartialSettings,
  ServerConfig,
  VirtualHost,
} from '../../../src/config/server-config.ts';
import type { Secret } from '../../../src/log/secret.ts';

const LOCATION = { file: 'test.conf', line: 1 };

/** `secret`, in the schemes the tests use. */
export const SECRET = {
  md5: '$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1',
  sha256: '$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.',
  sha512:
    '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.',
};

export interface Fixture {
  readonly directory: string;
  /** Lines of the server log, `level text`. */
  readonly lines: string[];
  /** Cost names of the hashes computed, in order. */
  readonly jobs: string[];
  readonly auth: AuthService;
  readonly origin: LoginOrigin;
  readonly systemFiles: SystemFiles;
  /** When set, the pool answers this instead of computing. */
  poolVerdict: HashVerdict | null;
  path(name: string): string;
  write(name: string, text: string, mode?: number): string;
  login(config: ServerConfig, claim?: Partial<LoginClaim>): Promise<LoginResult>;
}

export function createFixture(t: TestContext): Fixture {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-auth-'));
  const path = (name: string): string => join(directory, name);
  const write = (name: string, text: string, mode = 0o600): string => {
    mkdirSync(join(path(name), '..'), { recursive: true });
    writeFileSync(path(name), text, { mode });
    return path(name);
  };
  const systemFiles: SystemFiles = {
    passwd: write('etc/passwd', 'root:x:0:0::/root:/bin/sh\nftp:x:121:65534::/srv/ftp:/bin/false\n', 0o644),
    shadow: path('etc/shadow'),
    group: write('etc/group', 'root:x:0:\nnogroup:x:65534:\nstaff:x:50:\n', 0o644),
    shells: path('etc/shells'),
    ftpUsers: path('etc/ftpusers'),
  };
  const lines: string[] = [];
  const jobs: string[] = [];
  const hashPool: HashPool = {
    async verify(password: Secret, hash: Secret) {
      const kind = classifyHash(hash.reveal());
      jobs.push('cost' in kind ? kind.cost : kind.kind);
      return fixture.poolVerdict ?? verifyPasswordSync(password.reveal(), hash.reveal());
    },
    close: async () => undefined,
  };
  const auth = createAuthService({
    log: (level, text) => lines.push(`${level} ${text}`),
    hashPool,
    asRoot: (work) => work(),
    systemFiles,
  });
  const origin = { sessionId: 7, remoteAddress: '192.0.2.9', localAddress: '192.0.2.1', localPort: 2121 };
  const fixture: Fixture = {
    directory,
    lines,
    jobs,
    auth,
    origin,
    systemFiles,
    poolVerdict: null,
    path,
    write,
    login: (config, claim = {}) => auth.login(config, { ...CLAIM, ...claim }, origin),
  };
  t.after(async () => {
    await auth.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return fixture;
}

const CLAIM: LoginClaim = {
  loginName: 'alice',
  password: 'secret',
  virtualHost: 0,
  configVersion: 1,
  hostName: 'client.example',
  className: null,
  verifiedByCertificate: false,
  protocol: 'ftp',
};

export function configWith(settings: PartialSettings, parts: Partial<VirtualHost> = {}): ServerConfig {
  const host: VirtualHost = {
    id: 0,
    isMain: true,
    addresses: ['0.0.0.0'],
    port: 2121,
    settings,
    limits: [],
    directories: [],
    anonymous: [],
    conditionals: [],
    location: LOCATION,
    ...parts,
  };
  return {
    version: 1,
    file: 'test.conf',
    defines: [],
    listeners: [],
    virtualHosts: [host],
    classes: [],
    logFormats: new Map(),
    logDescriptors: new Map(),
    secretFiles: new Map(),
    actsAsUsers: false,
  };
}

export function anonymousSection(
  settings: PartialSettings,
  parts: Partial<AnonymousSection> = {},
): AnonymousSection {
  return {
    root: '/srv/ftp',
    settings,
    limits: [],
    directories: [],
    conditionals: [],
    location: LOCATION,
    ...parts,
  };
}

export function loginLimit(parts: Partial<LimitSection>): LimitSection {
  return {
    commands: ['LOGIN'],
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
    location: LOCATION,
    ...parts,
  };
}
