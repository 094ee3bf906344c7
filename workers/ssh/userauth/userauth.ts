/**
 * The dialogue of SSH user authentication (RFC 4252, RFC 4256) on the session's side: parse, ask main, answer; and when
 * main accepts, enter the session as FTP does. Main decides everything; nothing here may let anybody in.
 */
import type { Account, EndReason, SshAuthAnswer } from '../../../src/actor/messages.ts';
import { RpcError } from '../../../src/actor/rpc.ts';
import type { EffectiveConfig } from '../../../src/config/effective-config.ts';
import { ByteError } from '../../../src/util/byte-reader.ts';
import type { SessionContext } from '../../session/session-context.ts';
import type { VirtualFileSystem } from '../../vfs/types.ts';
import { DisconnectCode, USERAUTH_INFO_RESPONSE, USERAUTH_REQUEST } from '../wire/message-numbers.ts';
import { recordAuth } from './auth-records.ts';
import { sendBanner } from './banner.ts';
import { enterSession } from './enter-session.ts';
import { encodeFailure, encodeInfoRequest, encodeKeyAcceptable } from './wire/userauth-replies.ts';
import { parseInfoResponse, parseUserauthRequest, type UserauthRequest } from './wire/userauth-request.ts';

/** What user authentication needs of the connection. */
export interface UserauthHost {
  readonly context: SessionContext;
  /** In force before login. */
  readonly config: EffectiveConfig;
  /** H of the first key exchange. */
  readonly sessionIdentifier: Buffer;
  /** K_S of the first key exchange, for publickey-hostbound-v00@openssh.com. */
  readonly hostKeyBlob: Buffer;
  /** Cipher or MAC of either direction is `none`. */
  readonly insecureTransport: boolean;
  /** False for clients that cannot take USERAUTH_BANNER (OpenSSH up to 2.3.0). */
  readonly showsBanner: boolean;
  /** Sends one packet. */
  send(payload: Buffer): void;
  /** A line of SFTPLog. */
  sftpLog(text: string): void;
}

/** A session whose user is let in: configuration narrowed, files open. */
export interface EnteredSession {
  readonly config: EffectiveConfig;
  readonly account: Account;
  readonly vfs: VirtualFileSystem;
  readonly loginName: string;
}

export type UserauthStep =
  | { readonly kind: 'continue' }
  /** USERAUTH_SUCCESS is the caller's to send. */
  | { readonly kind: 'accepted'; readonly entered: EnteredSession }
  | {
      readonly kind: 'disconnect';
      readonly code: number;
      readonly text: string;
      readonly reason: EndReason;
      readonly detail: string | null;
    };

export interface Userauth {
  /** One packet 50 or 61; called strictly one at a time. Never rejects but on a bug. */
  handle(payload: Buffer): Promise<UserauthStep>;
}

const SERVICE = 'ssh-connection';
const MALFORMED = 'Malformed authentication request';

type Disconnect = Extract<UserauthStep, { kind: 'disconnect' }>;

/** A dialogue that starts when the client has been granted the service ssh-userauth. */
export function createUserauth(host: UserauthHost): Userauth {
  return new Dialogue(host);
}

class Dialogue implements Userauth {
  readonly #host: UserauthHost;
  #loginName: string | null = null;
  /** An INFO_REQUEST is open: the only time an INFO_RESPONSE may come. */
  #awaitsAnswers = false;
  #isOver = false;

  constructor(host: UserauthHost) {
    this.#host = host;
  }

  async handle(payload: Buffer): Promise<UserauthStep> {
    // Requests sent behind the one that succeeded are ignored without a word (RFC 4252, section 5.3).
    if (this.#isOver) return { kind: 'continue' };
    const receivedAt = new Date();
    const request = this.#parse(payload);
    if ('kind' in request) return this.#end(request);
    const isFirst = this.#loginName === null;
    this.#loginName ??= request.user;
    if (isFirst) {
      this.#host.context.facts.loginName = request.user;
      await sendBanner(this.#host);
      this.#recordUser(receivedAt);
    }
    try {
      return this.#end(await this.#ask(request, receivedAt));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#host.context.log.system('error', 'login is not possible: the main actor does not answer');
      return this.#end(disconnect(DisconnectCode.byApplication, 'Service not available', 'error', null));
    }
  }

  #end(step: UserauthStep): UserauthStep {
    if (step.kind !== 'continue') this.#isOver = true;
    return step;
  }

  #parse(payload: Buffer): UserauthRequest | Disconnect {
    try {
      if (payload[0] === USERAUTH_REQUEST) return this.#checkService(parseUserauthRequest(payload));
      if (payload[0] === USERAUTH_INFO_RESPONSE && this.#awaitsAnswers && this.#loginName !== null) {
        const method = { kind: 'answers', answers: parseInfoResponse(payload) } as const;
        return { user: this.#loginName, service: SERVICE, method };
      }
    } catch (error) {
      if (!(error instanceof ByteError)) throw error;
      this.#host.sftpLog(`malformed authentication message: ${error.message}, disconnecting`);
      return disconnect(DisconnectCode.protocolError, MALFORMED, 'protocol-error', null);
    }
    this.#host.sftpLog(
      `unexpected message ${payload[0] ?? 'without a type'} during authentication, disconnecting`,
    );
    return disconnect(DisconnectCode.protocolError, 'Unexpected message', 'protocol-error', null);
  }

  #checkService(request: UserauthRequest): UserauthRequest | Disconnect {
    if (request.service === SERVICE) return request;
    this.#host.sftpLog(`client requested unsupported service '${request.service}', disconnecting`);
    return disconnect(DisconnectCode.serviceNotAvailable, 'Service not available', 'protocol-error', null);
  }

  async #ask(request: UserauthRequest, receivedAt: Date): Promise<UserauthStep> {
    const host = this.#host;
    const { context, config } = host;
    this.#awaitsAnswers = false;
    const answer = await context.services.authenticateSsh({
      loginName: request.user,
      virtualHost: config.virtualHost.id,
      configVersion: config.server.version,
      hostName: config.principal.hostName,
      className: config.principal.className,
      sessionIdentifier: new Uint8Array(host.sessionIdentifier),
      hostKeyBlob: new Uint8Array(host.hostKeyBlob),
      insecureTransport: host.insecureTransport,
      protocol: 'sftp',
      method: request.method,
    });
    for (const line of answer.sftpLog) host.sftpLog(line);
    for (const [name, value] of Object.entries(answer.environment)) {
      context.facts.environment.set(name, value);
      context.facts.notes.set(name, value);
    }
    const step = await this.#apply(request, answer);
    this.#record(request, answer, step, receivedAt);
    return step;
  }

  async #apply(request: UserauthRequest, answer: SshAuthAnswer): Promise<UserauthStep> {
    const host = this.#host;
    switch (answer.kind) {
      case 'accepted':
        return enterSession(host, request.user, answer.account);
      case 'key-acceptable':
        if (request.method.kind === 'publickey-query') {
          host.send(encodeKeyAcceptable(request.method.algorithm, request.method.blob));
        }
        return { kind: 'continue' };
      case 'challenge':
        this.#awaitsAnswers = true;
        host.send(encodeInfoRequest(answer.name, answer.instruction, answer.prompts));
        return { kind: 'continue' };
      case 'refused':
        host.send(encodeFailure(answer.methods, answer.partial));
        return { kind: 'continue' };
      case 'disconnect':
        return disconnect(answer.code, answer.text, answer.endReason, answer.detail);
    }
  }

  #recordUser(receivedAt: Date): void {
    const argument = this.#loginName ?? '';
    const replyText = `Password required for ${argument}`;
    recordAuth(this.#host.context, { verb: 'USER', argument, replyCode: 331, replyText, receivedAt });
  }

  #record(request: UserauthRequest, answer: SshAuthAnswer, step: UserauthStep, receivedAt: Date): void {
    const { context } = this.#host;
    const { kind } = request.method;
    const method = methodName(request);
    const isIn = step.kind === 'accepted';
    const replyText = isIn ? 'success' : answer.kind;
    const argument = `${request.user} ${method}`;
    recordAuth(context, {
      verb: 'USERAUTH_REQUEST',
      argument,
      replyCode: isIn ? 0 : 1,
      replyText,
      receivedAt,
    });
    const isAttempt = kind !== 'none' && kind !== 'publickey-query' && answer.kind !== 'challenge';
    if (!isAttempt || (answer.kind === 'refused' && answer.partial)) return;
    const [code, text] = isIn ? [230, `User ${request.user} logged in`] : [530, 'Login incorrect.'];
    recordAuth(context, { verb: 'PASS', argument: '(hidden)', replyCode: code, replyText: text, receivedAt });
  }
}

function methodName({ method }: UserauthRequest): string {
  switch (method.kind) {
    case 'unknown':
    case 'malformed':
      return method.name;
    case 'publickey-query':
      return 'publickey';
    case 'password-change':
      return 'password';
    case 'answers':
      return 'keyboard-interactive';
    default:
      return method.kind;
  }
}

function disconnect(code: number, text: string, reason: EndReason, detail: string | null): Disconnect {
  return { kind: 'disconnect', code, text, reason, detail };
}
