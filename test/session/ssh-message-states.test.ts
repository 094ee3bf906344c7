/** Every message number in every state, over real sockets: what has no place there ends the connection, at once and for all. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { SshClient, type SshClientOptions } from '../support/ssh-client.ts';
import { startSshServer, type SshServer } from '../support/ssh-session-server.ts';

const LIMIT = { timeout: 60_000 };
const CONNECTION = [80, 81, 82, 90, 93, 94, 95, 96, 97, 98, 99, 100];
const GENERIC = [1, 2, 3, 4];
const KEX_METHOD = Array.from({ length: 20 }, (_, index) => 30 + index);
/** Numbers RFC 4250, section 4.1.2, and OpenSSH give a meaning; the others are new to everybody. */
const ASSIGNED = new Set([
  ...[1, 2, 3, 4, 5, 6, 7, 20, 21, ...Array.from({ length: 8 }, (_, index) => 22 + index), ...KEX_METHOD],
  ...Array.from({ length: 30 }, (_, index) => 50 + index),
  ...[80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 192, 193],
]);

interface StateRow {
  readonly name: string;
  readonly strict: boolean;
  /** What may come; the test sends it without a body, so most of these end in a protocol error of their own. */
  readonly accepts: readonly number[];
  /** Unassigned numbers are answered with UNIMPLEMENTED, and the connection goes on. */
  readonly toleratesNew: boolean;
  /** Sends `payloads` in place of what a client would send in this state. */
  send(client: SshClient, payloads: readonly Buffer[]): Promise<void>;
  readonly options?: Omit<SshClientOptions, 'port'>;
}

async function handshake(client: SshClient): Promise<void> {
  await client.handshake();
}

async function askForUserauth(client: SshClient): Promise<void> {
  await client.handshake();
  client.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
  await client.expect(6);
}

async function login(client: SshClient): Promise<void> {
  await client.handshake();
  await client.authenticate();
}

function injectAll(client: SshClient, payloads: readonly Buffer[]): void {
  for (const payload of payloads) client.inject(payload);
}

/** The first message of type `type` that the client would send is replaced. */
function replaces(client: SshClient, type: number, payloads: readonly Buffer[]): void {
  const inject = client.inject.bind(client);
  let done = false;
  client.inject = (payload) => {
    if (done || payload[0] !== type) return inject(payload);
    done = true;
    for (const other of payloads) inject(other);
  };
}

const firstExchange = (strict: boolean): StateRow[] => [
  {
    name: 'kexinit',
    strict,
    accepts: strict ? [1, 20] : [...GENERIC, 20],
    toleratesNew: false,
    async send(client, payloads) {
      client.sendVersion();
      injectAll(client, payloads);
    },
  },
  {
    name: 'kex',
    strict,
    accepts: strict ? [1, ...KEX_METHOD] : [...GENERIC, ...KEX_METHOD],
    toleratesNew: false,
    options: { keyExchanges: ['diffie-hellman-group14-sha256'] },
    async send(client, payloads) {
      client.sendVersion();
      client.sendKexInit();
      injectAll(client, payloads);
    },
  },
  {
    name: 'newkeys',
    strict,
    accepts: strict ? [1, 21] : [...GENERIC, 21],
    toleratesNew: false,
    async send(client, payloads) {
      replaces(client, 21, payloads);
      client.sendVersion();
      client.sendKexInit();
    },
  },
];

const STATES: readonly StateRow[] = [
  ...firstExchange(true),
  ...firstExchange(false),
  {
    name: 'service',
    strict: true,
    accepts: [...GENERIC, 5, 7, 192],
    toleratesNew: true,
    async send(client, payloads) {
      await handshake(client);
      injectAll(client, payloads);
    },
  },
  {
    name: 'userauth',
    strict: true,
    accepts: [...GENERIC, 50, 61, 192],
    toleratesNew: true,
    async send(client, payloads) {
      await askForUserauth(client);
      injectAll(client, payloads);
    },
  },
  {
    name: 'open',
    strict: true,
    // 50: requests behind the one that succeeded say nothing any more.
    accepts: [...GENERIC, 20, 50, 192, ...CONNECTION],
    toleratesNew: true,
    async send(client, payloads) {
      await login(client);
      injectAll(client, payloads);
    },
  },
  {
    name: 'rekey, before the method message',
    strict: true,
    accepts: [...GENERIC, ...KEX_METHOD, ...CONNECTION],
    toleratesNew: true,
    async send(client, payloads) {
      await login(client);
      replaces(client, 30, payloads);
      client.sendKexInit();
    },
  },
  {
    name: 'rekey, before NEWKEYS',
    strict: true,
    accepts: [...GENERIC, 21, ...CONNECTION],
    toleratesNew: true,
    async send(client, payloads) {
      await login(client);
      replaces(client, 21, payloads);
      client.sendKexInit();
    },
  },
];

suite('ssh: every message number in every state', LIMIT, () => {
  let server: SshServer;
  before(async () => {
    server = await startSshServer();
  });
  after(async () => {
    const bugs = server.lines.filter((line) => line.startsWith('bug:'));
    await server[Symbol.asyncDispose]();
    assert.deepEqual(bugs, []);
  });

  async function open(state: StateRow): Promise<SshClient> {
    return SshClient.open({ ...state.options, strict: state.strict, port: server.port });
  }

  for (const state of STATES) {
    const name = `${state.name}${state.strict ? '' : ', not strict'}`;
    const numbers = Array.from({ length: 256 }, (_, number) => number);
    const isTolerated = (number: number): boolean =>
      state.toleratesNew && number !== 0 && !ASSIGNED.has(number);
    const refused = numbers.filter((number) => !state.accepts.includes(number) && !isTolerated(number));

    test(`${name}: ${refused.length} of 256 end the connection`, async () => {
      for (const number of refused) {
        const client = await open(state);
        await state.send(client, [Buffer.of(number)]);
        const end = await client.disconnected();
        assert.equal(end?.code, 2, `message ${number}`);
        client.destroy();
      }
    });

    test(`${name}: what may come does no harm without its body`, async () => {
      for (const number of state.accepts) {
        const client = await open(state);
        await state.send(client, [Buffer.of(number), Buffer.of(1, 0, 0, 0, 11)]);
        await client.until(() => false);
        assert.ok(client.closed, `message ${number}`);
      }
    });

    if (!state.toleratesNew) continue;
    test(`${name}: numbers that nobody assigned are answered, and the connection goes on`, async () => {
      const unassigned = numbers.filter(isTolerated);
      const client = await open(state);
      await state.send(
        client,
        [...unassigned, 1].map((number) => Buffer.of(number)),
      );
      let answers = 0;
      for (let packet = await client.next(); packet !== null; packet = await client.next()) {
        assert.notEqual(packet[0], 1, 'the connection was ended');
        if (packet[0] === 3) answers += 1;
      }
      // During a key exchange answers wait for new keys, which never come here.
      if (!state.name.startsWith('rekey')) assert.equal(answers, unassigned.length);
    });
  }
});
