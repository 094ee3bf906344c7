/**
 * One SSH session actor's code in this process, over real sockets, with user authentication and channel services played
 * by doubles: every user may enter without a password, `exec` runs `sink`, `source BYTES`, `echo` and `hold`, and the
 * `sftp` subsystem is `echo`.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateHostKey, loadHostKey } from '../../crypto/ssh/host-keys.ts';
import { createEffectiveConfig } from '../../src/config/effective-config.ts';
import type { PartialSettings, ServerConfig, VirtualHost } from '../../src/config/server-config.ts';
import type { CommandRecord } from '../../src/log/session-log.ts';
import type { MutableSessionFacts, ProtocolSession } from '../../workers/session/session-context.ts';
import type { ChannelServices } from '../../workers/ssh/ssh-channel.ts';
import { SshProtocolSession, type UserauthFactory } from '../../workers/ssh/ssh-session.ts';
import type { VirtualFileSystem } from '../../workers/vfs/types.ts';
import { channelDoubles, type ChannelDoubles } from './channel-doubles.ts';
import { initialFacts } from '../../workers/session/initial-facts.ts';

export interface SshServerOptions {
  readonly settings?: PartialSettings;
  readonly services?: ChannelServices;
  readonly userauth?: UserauthFactory;
  readonly keys?: readonly ('ed25519' | 'ecdsa' | 'rsa')[];
}

export interface SshOutcome {
  readonly reason: string;
  readonly detail: string | null;
}

export interface SshServer extends AsyncDisposable {
  readonly port: number;
  /** Lines of SFTPLog, all sessions'. */
  readonly lines: string[];
  readonly commands: CommandRecord[];
  readonly sessions: ProtocolSession[];
  readonly sockets: Socket[];
  readonly facts: MutableSessionFacts[];
  readonly outcomes: Promise<SshOutcome>[];
  readonly channels: ChannelDoubles;
}

const keyCache = new Map<string, Promise<Buffer>>();

/** PKCS#8 DER; made once per process. */
function hostKey(kind: 'ed25519' | 'ecdsa' | 'rsa'): Promise<Buffer> {
  let key = keyCache.get(kind);
  if (key === undefined) {
    key = generateHostKey(kind)
      .then((pem) => loadHostKey(Buffer.from(pem)))
      .then(({ pkcs8 }) => pkcs8);
    keyCache.set(kind, key);
  }
  return key;
}

export async function startSshServer(options: SshServerOptions = {}): Promise<SshServer> {
  const kinds = options.keys ?? ['ed25519', 'ecdsa'];
  const keys = new Map<string, Uint8Array>();
  for (const kind of kinds) keys.set(`/keys/${kind}`, await hostKey(kind));
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'lockgate-ssh-')));
  const config = serverConfig(keys, options.settings ?? {});
  const doubles = channelDoubles();
  const state = {
    lines: [] as string[],
    commands: [] as CommandRecord[],
    sessions: [] as ProtocolSession[],
    sockets: [] as Socket[],
    facts: [] as MutableSessionFacts[],
    outcomes: [] as Promise<SshOutcome>[],
  };
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    // As run-session does.
    socket.on('error', () => socket.destroy());
    const facts = sessionFacts(state.sessions.length + 1, socket);
    const principal = {
      address: facts.remoteAddress,
      hostName: facts.remoteAddress,
      className: null,
      user: null,
      groups: [],
      authenticated: false,
    };
    const session = new SshProtocolSession(
      {
        sessionId: facts.sessionId,
        socket,
        services: {} as never,
        log: {
          system: (_level, text) => void state.lines.push(text),
          tls: () => undefined,
          sftp: (text) => void state.lines.push(text),
          trace: () => undefined,
          transfer: () => undefined,
          command: (record) => void state.commands.push(record),
        },
        facts,
        counters: new BigInt64Array(new SharedArrayBuffer(16)),
        currentClients: 1,
        config: createEffectiveConfig(config, config.virtualHosts[0]!, principal),
        siblings: [0],
        configChanged: () => undefined,
        reportsTransfers: false,
      },
      options.services ?? doubles.services,
      options.userauth ?? openUserauth,
    );
    state.sessions.push(session);
    state.sockets.push(socket);
    state.facts.push(facts);
    // As run-session does: a bug ends this session with last words.
    const outcome = session.run().catch((error: unknown) => {
      state.lines.push(`bug: ${error instanceof Error ? error.stack : String(error)}`);
      session.fail('Service not available');
      return { reason: 'error', detail: 'bug' };
    });
    state.outcomes.push(outcome);
    void outcome.then(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    ...state,
    channels: doubles,
    async [Symbol.asyncDispose]() {
      for (const socket of state.sockets) socket.destroy();
      await Promise.all(state.outcomes);
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** Lets everybody in at the first request, whatever it says. */
const openUserauth: UserauthFactory = (host) => ({
  handle: () =>
    Promise.resolve({
      kind: 'accepted',
      entered: {
        config: host.config,
        account: {
          user: 'alice',
          uid: 0,
          gid: 0,
          groupName: 'staff',
          groupIds: [0],
          groups: ['staff'],
          home: '/',
          shell: '/bin/sh',
        },
        vfs: { close: () => undefined } as unknown as VirtualFileSystem,
        loginName: 'alice',
      },
    }),
});

function serverConfig(keys: ReadonlyMap<string, Uint8Array>, settings: PartialSettings): ServerConfig {
  const virtualHost: VirtualHost = {
    id: 0,
    isMain: true,
    addresses: ['127.0.0.1'],
    port: 22,
    settings: {
      sftpEngine: true,
      useReverseDNS: false,
      sftpHostKey: [...keys.keys()].map((path) => ({ kind: 'file', path })),
      ...settings,
    },
    limits: [],
    directories: [],
    anonymous: [],
    conditionals: [],
    location: { file: 'test.conf', line: 1 },
  };
  return {
    version: 1,
    file: 'test.conf',
    defines: [],
    listeners: [],
    virtualHosts: [virtualHost],
    classes: [],
    logFormats: new Map(),
    logDescriptors: new Map(),
    secretFiles: new Map(),
    sshHostKeys: keys,
    actsAsUsers: false,
  } as unknown as ServerConfig;
}

function sessionFacts(sessionId: number, socket: Socket): MutableSessionFacts {
  return initialFacts({
    sessionId,
    remoteAddress: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    connectedAt: new Date(),
  });
}
