/**
 * SSH user authentication without a connection: the session's dialogue on one side, main's services and the real account,
 * key and user store files on the other. Accounts: alice and bob, password `secret`, homes `<directory>/alice` and `/bob`.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import type { MainServices } from '../../src/actor/messages.ts';
import { createEffectiveConfig } from '../../src/config/effective-config.ts';
import type { PartialSettings, VirtualHost } from '../../src/config/server-config.ts';
import type { CommandRecord } from '../../src/log/session-log.ts';
import { settingsAtLogin } from '../../src/main/config-settings.ts';
import { createMainServices } from '../../src/main/main-services.ts';
import { SessionRegistry } from '../../src/main/session-registry.ts';
import type { SessionEntry } from '../../src/main/session-registry.ts';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import type { MutableSessionFacts, SessionContext } from '../../workers/session/session-context.ts';
import { createUserauth } from '../../workers/ssh/userauth/userauth.ts';
import type { Userauth, UserauthStep } from '../../workers/ssh/userauth/userauth.ts';
import { configWith, createFixture, SECRET } from '../unit/auth/auth-fixture.ts';
import type { Fixture } from '../unit/auth/auth-fixture.ts';
import { initialFacts } from '../../workers/session/initial-facts.ts';

export const SESSION_IDENTIFIER = Buffer.alloc(32, 0x5e);
export const HOST_KEY_BLOB = Buffer.from('the host key of the first key exchange');

export type Reply =
  | { readonly kind: 'failure'; readonly methods: string; readonly partial: boolean }
  | { readonly kind: 'banner'; readonly text: string }
  /** 60 with a body; PK_OK and INFO_REQUEST look alike from outside. */
  | { readonly kind: 'sixty'; readonly reader: ByteReader };

export interface Connection {
  readonly dialogue: Userauth;
  /** SFTPLog. */
  readonly lines: string[];
  readonly records: CommandRecord[];
  readonly facts: MutableSessionFacts;
  /** Sends one request; the step it led to, and what was sent back. */
  ask(payload: Buffer): Promise<{ readonly step: UserauthStep; readonly replies: readonly Reply[] }>;
  /** The same, where exactly a FAILURE is expected. `publickey,password partial`, or the name of another step. */
  outcome(payload: Buffer): Promise<string>;
}

export interface UserauthFixture extends Fixture {
  /** Puts public keys into alice's SFTPAuthorizedUserKeys file, as OpenSSH lines. */
  authorize(user: string, ...keys: readonly TestKey[]): void;
  connect(options?: ConnectOptions): Connection;
}

export interface ConnectOptions {
  readonly settings?: PartialSettings;
  readonly host?: Partial<VirtualHost>;
  readonly services?: Partial<MainServices>;
  readonly insecureTransport?: boolean;
  readonly hostName?: string;
}

export function openUserauthFixture(t: TestContext): UserauthFixture {
  const fixture = createFixture(t);
  const uid = process.getuid?.() ?? 1000;
  const gid = process.getgid?.() ?? 1000;
  const accounts = ['alice', 'bob'].map((name) => {
    mkdirSync(fixture.path(name));
    return `${name}:${SECRET.sha256}:${uid}:${gid}::${fixture.path(name)}:/bin/false\n`;
  });
  const passwd = fixture.write('ftpd.passwd', accounts.join(''));
  let sessionId = 0;
  const defaults: PartialSettings = {
    authOrder: [{ module: 'mod_auth_file.c', authoritative: false }],
    authUserFile: [{ path: passwd }],
    sftpEngine: true,
    sftpAuthorizedUserKeys: [{ kind: 'file', path: '~/.sftp/authorized_keys' }],
    rootLogin: true,
    requireValidShell: false,
    useFtpUsers: false,
    useReverseDNS: false,
  };
  return Object.assign(fixture, {
    authorize: (user: string, ...keys: readonly TestKey[]) => {
      fixture.write(`${user}/.sftp/authorized_keys`, keys.map((key) => key.line).join('\n'));
    },
    connect: (options: ConnectOptions = {}) => {
      sessionId += 1;
      return connect(t, fixture, sessionId, defaults, options);
    },
  });
}

function connect(
  t: TestContext,
  fixture: Fixture,
  sessionId: number,
  defaults: PartialSettings,
  options: ConnectOptions,
): Connection {
  const config = configWith({ ...defaults, ...options.settings }, options.host);
  const channel = new MessageChannel();
  t.after(() => channel.port1.close());
  const entry: SessionEntry = {
    id: sessionId,
    remoteAddress: '192.0.2.9',
    remotePort: 40_000,
    localAddress: '192.0.2.1',
    localPort: 2222,
    configVersion: 1,
    virtualHost: 0,
    connectedAt: Date.now(),
    counters: new SharedArrayBuffer(16),
    control: { drain: async () => undefined, disconnect: async () => undefined },
    port: channel.port1,
    phase: { kind: 'connected' },
    transfer: null,
  };
  const registry = new SessionRegistry();
  registry.add(entry);
  const services = {
    ...createMainServices({
      session: entry,
      registry,
      auth: { ...fixture.auth },
      configOf: () => config,
      settingsFor: settingsAtLogin,
      log: (level, text) => fixture.lines.push(`${level} ${text}`),
      onLogin: () => undefined,
      onTransfer: () => undefined,
    }),
    ...options.services,
  };
  const effective = createEffectiveConfig(config, config.virtualHosts[0]!, {
    address: entry.remoteAddress,
    hostName: options.hostName ?? 'client.example',
    className: null,
    user: null,
    groups: [],
    authenticated: false,
  });
  const lines: string[] = [];
  const records: CommandRecord[] = [];
  const sent: Buffer[] = [];
  const facts = factsOf(entry);
  const context: SessionContext = {
    sessionId,
    // User authentication has no business with the socket.
    socket: null as unknown as Socket,
    services,
    log: {
      system: (level, text) => void fixture.lines.push(`${level} ${text}`),
      tls: () => undefined,
      sftp: () => undefined,
      trace: () => undefined,
      transfer: () => undefined,
      command: (record) => void records.push(record),
    },
    facts,
    counters: new BigInt64Array(new SharedArrayBuffer(16)),
    currentClients: 1,
    config: effective,
    siblings: [0],
    configChanged: () => undefined,
    reportsTransfers: false,
  };
  const dialogue = createUserauth({
    context,
    config: effective,
    sessionIdentifier: SESSION_IDENTIFIER,
    hostKeyBlob: HOST_KEY_BLOB,
    insecureTransport: options.insecureTransport ?? false,
    showsBanner: true,
    send: (payload) => void sent.push(Buffer.from(payload)),
    sftpLog: (text) => void lines.push(text),
  });
  const ask = async (payload: Buffer) => {
    sent.length = 0;
    const step = await dialogue.handle(payload);
    if (step.kind === 'accepted') t.after(() => step.entered.vfs.close());
    return { step, replies: sent.map(readReply) };
  };
  return {
    dialogue,
    lines,
    records,
    facts,
    ask,
    async outcome(payload) {
      const { step, replies } = await ask(payload);
      if (step.kind !== 'continue') return step.kind === 'disconnect' ? `disconnect ${step.code}` : step.kind;
      const reply = replies.at(-1);
      if (reply?.kind === 'failure') return `${reply.methods}${reply.partial ? ' partial' : ''}`;
      return reply?.kind ?? 'nothing';
    },
  };
}

function factsOf(entry: SessionEntry): MutableSessionFacts {
  const facts = initialFacts({ ...entry, sessionId: entry.id, connectedAt: new Date() });
  return { ...facts, remoteName: 'client.example', protocol: 'sftp' };
}

function readReply(payload: Buffer): Reply {
  const reader = new ByteReader(payload);
  const type = reader.u8();
  switch (type) {
    case 51:
      return { kind: 'failure', methods: reader.nameList().join(','), partial: reader.bool() };
    case 53:
      return { kind: 'banner', text: reader.utf8() };
    case 60:
      return { kind: 'sixty', reader };
    default:
      throw new Error(`unexpected reply ${type}`);
  }
}

// --- what a client sends ---

export function userauthRequest(
  user: string,
  method: string,
  fields: (writer: ByteWriter) => ByteWriter = (writer) => writer,
  service = 'ssh-connection',
): Buffer {
  return fields(new ByteWriter().u8(50).string(user).string(service).string(method)).finish();
}

export function passwordRequest(user: string, password: string): Buffer {
  return userauthRequest(user, 'password', (writer) => writer.bool(false).string(password));
}

export function keyboardRequest(user: string): Buffer {
  return userauthRequest(user, 'keyboard-interactive', (writer) => writer.string('').string(''));
}

export function answersMessage(...answers: readonly string[]): Buffer {
  const writer = new ByteWriter().u8(61).u32(answers.length);
  for (const answer of answers) writer.string(answer);
  return writer.finish();
}

// --- keys ---

export interface TestKey {
  readonly blob: Buffer;
  readonly privateKey: KeyObject;
  /** As authorized_keys has it. */
  readonly line: string;
}

export function createTestKey(): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = new ByteWriter().string('ssh-ed25519').string(raw).finish();
  return { blob, privateKey, line: `ssh-ed25519 ${blob.toString('base64')} test` };
}

export function keyQuery(user: string, key: TestKey): Buffer {
  return userauthRequest(user, 'publickey', (writer) =>
    writer.bool(false).string('ssh-ed25519').string(key.blob),
  );
}

export interface ProofOptions {
  readonly sessionIdentifier?: Buffer;
  /** Set: publickey-hostbound-v00@openssh.com with this host key. */
  readonly hostKeyBlob?: Buffer;
  /** Replaces the signature. */
  readonly signature?: Buffer;
  /** The user the signature is made for, when it is not the request's. */
  readonly signedUser?: string;
}

export function keyProof(user: string, key: TestKey, options: ProofOptions = {}): Buffer {
  const bound = options.hostKeyBlob;
  const method = bound === undefined ? 'publickey' : 'publickey-hostbound-v00@openssh.com';
  const fields = (writer: ByteWriter): ByteWriter => {
    writer.bool(true).string('ssh-ed25519').string(key.blob);
    return bound === undefined ? writer : writer.string(bound);
  };
  const request = userauthRequest(options.signedUser ?? user, method, fields);
  const data = new ByteWriter()
    .string(options.sessionIdentifier ?? SESSION_IDENTIFIER)
    .raw(request)
    .finish();
  const signature = new ByteWriter()
    .string('ssh-ed25519')
    .string(sign(null, data, key.privateKey))
    .finish();
  return userauthRequest(user, method, (writer) => fields(writer).string(options.signature ?? signature));
}
