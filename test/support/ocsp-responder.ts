/**
 * An OCSP responder for tests: HTTP here, so that it can be slow, silent or wrong on purpose; what it says is computed and
 * signed by the openssl program (`openssl ocsp -reqin`), as `openssl ocsp -port` would.
 */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CertificateFiles } from './certificates.ts';

export interface OcspResponder extends AsyncDisposable {
  readonly url: string;
  /** Requests answered or left unanswered so far. */
  readonly requests: number;
  /** What the next requests get. */
  behave(behaviour: Behaviour): void;
  /** Declares the status of a certificate; undeclared ones are unknown. */
  set(certificate: CertificateFiles, status: 'good' | 'revoked'): void;
  /** Resolves at the next request. */
  nextRequest(): Promise<void>;
}

export type Behaviour =
  | { readonly kind: 'answer'; readonly signer?: CertificateFiles; readonly options?: readonly string[] }
  | { readonly kind: 'silent' }
  | { readonly kind: 'send'; readonly status: number; readonly type: string; readonly body: Buffer };

const runProgram = promisify(execFile);
const YEAR_END = '491231235959Z';

/** Answers for certificates of `issuer`; signed by the issuer itself unless a behaviour names another signer. */
export async function startOcspResponder(issuer: CertificateFiles): Promise<OcspResponder> {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-ocsp-'));
  const statuses = new Map<string, 'good' | 'revoked'>();
  let behaviour: Behaviour = { kind: 'answer' };
  let requests = 0;
  let waiting: (() => void)[] = [];

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    requests += 1;
    const number = requests;
    for (const resolve of waiting.splice(0)) resolve();
    const now = behaviour;
    if (now.kind === 'silent') return;
    if (now.kind === 'send') {
      response.writeHead(now.status, { 'Content-Type': now.type }).end(now.body);
      return;
    }
    const path = (suffix: string): string => join(directory, `${number}.${suffix}`);
    writeFileSync(path('req'), Buffer.concat(chunks));
    writeFileSync(path('index'), index(statuses));
    const signer = now.signer ?? issuer;
    await runProgram('openssl', [
      ...['ocsp', '-index', path('index'), '-CA', issuer.certificate],
      ...['-rsigner', signer.certificate, '-rkey', signer.key],
      ...['-reqin', path('req'), '-respout', path('resp')],
      ...(now.options ?? ['-ndays', '2']),
    ]);
    response.writeHead(200, { 'Content-Type': 'application/ocsp-response' }).end(readFileSync(path('resp')));
  }

  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    get requests() {
      return requests;
    },
    behave: (next) => {
      behaviour = next;
    },
    set: (certificate, status) => void statuses.set(serialOf(certificate), status),
    nextRequest: () =>
      new Promise((resolve) => {
        waiting = [...waiting, resolve];
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function serialOf(certificate: CertificateFiles): string {
  return new X509Certificate(readFileSync(certificate.certificate)).serialNumber;
}

/** OpenSSL's database of issued certificates: status, end, time of revocation, serial, file, subject; by tabs. */
function index(statuses: ReadonlyMap<string, 'good' | 'revoked'>): string {
  return [...statuses]
    .map(([serial, status]) =>
      status === 'good'
        ? `V\t${YEAR_END}\t\t${serial}\tunknown\t/CN=${serial}\n`
        : `R\t${YEAR_END}\t250101000000Z\t${serial}\tunknown\t/CN=${serial}\n`,
    )
    .join('');
}
