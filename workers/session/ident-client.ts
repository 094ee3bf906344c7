/** IdentLookups: asks the peer's machine for the user behind a connection (RFC 1413). The answer is only ever logged. */
import { connect } from 'node:net';

const IDENT_PORT = 113;
const IDENT_TIMEOUT_MS = 3_000;
/** RFC 1413, section 4: a user id has up to 512 octets; the line a little more. */
const MAX_ANSWER_BYTES = 1_000;

export interface IdentQuery {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** Null: no ident server, no answer in time, an error answer, or one that does not parse. Never rejects. */
export function askIdent(
  query: IdentQuery,
  port = IDENT_PORT,
  timeoutMs = IDENT_TIMEOUT_MS,
): Promise<string | null> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: query.remoteAddress, port, localAddress: query.localAddress });
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parseIdentAnswer(answer, query));
    };
    // Bounds the whole exchange, so that a peer sending a byte now and then gains nothing.
    const timer = setTimeout(finish, timeoutMs);
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(`${query.remotePort} , ${query.localPort}\r\n`));
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.includes('\n') || answer.length > MAX_ANSWER_BYTES) finish();
    });
    socket.on('end', finish);
    socket.on('error', finish);
  });
}

/** `6193, 23 : USERID : UNIX : stjohns`: only printable ASCII and only for the ports asked about. */
export function parseIdentAnswer(
  answer: string,
  query: Pick<IdentQuery, 'remotePort' | 'localPort'>,
): string | null {
  const line = answer.split(/\r?\n/, 1)[0] ?? '';
  const match = /^\s*(\d+)\s*,\s*(\d+)\s*:\s*USERID\s*:[^:]*:\s*([\x21-\x7e]{1,512})\s*$/.exec(line);
  if (match === null) return null;
  if (Number(match[1]) !== query.remotePort || Number(match[2]) !== query.localPort) return null;
  return match[3]!;
}
