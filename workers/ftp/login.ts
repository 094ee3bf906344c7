/**
 * USER and PASS (RFC 959, section 4.1.1; core reference, section 3). Main decides who may log in; this side prepares
 * the session for it: configuration, TLS policy, file system, start directory, in the documented order.
 */
import type { Account, LoginClaim } from '../../src/actor/messages.ts';
import { RpcError } from '../../src/actor/rpc.ts';
import { allAnonymousSections } from '../../src/config/anonymous-login.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import type { AnonymousSection, Settings } from '../../src/config/server-config.ts';
import { displaySessionFile } from './display-file.ts';
import { readmeNotice } from './readme-notice.ts';
import { enterFiles, type EnteredFiles } from '../login/enter-files.ts';
import type { FtpSession, LoginState } from './session-types.ts';
import { reply, withLinesBefore, type Reply } from './wire/reply.ts';

/** Longer names are nobody's, and would only fill logs. */
const USER_NAME_LIMIT = 256;

const LOGIN_INCORRECT = 'Login incorrect.';
const UNAVAILABLE: Reply = {
  code: 421,
  text: 'Service not available, closing control connection',
  close: true,
};

type UserGiven = Extract<LoginState, { kind: 'user-given' }>;

/** USER: asks main how the name is to be answered, and logs in at once where a client certificate vouches for it. */
export async function giveUser(session: FtpSession, argument: string): Promise<Reply> {
  if (argument === '') return reply(500, 'USER: command requires a parameter');
  if (Buffer.byteLength(argument) > USER_NAME_LIMIT) return reply(501, 'USER: user name too long');
  if (session.login.kind === 'logged-in') {
    if (argument === session.login.loginName) return reply(230, `User ${argument} logged in`);
    return reply(501, 'Reauthentication not supported');
  }
  return whileMainAnswers(session, async () => {
    const { config, context } = session;
    const answer = await context.services.inquireUser({
      loginName: argument,
      virtualHost: config.virtualHost.id,
      configVersion: config.server.version,
      className: config.principal.className,
    });
    const anonymous = anonymousSection(config, answer.anonymous);
    const { passwordRequired } = answer;
    const given: UserGiven = {
      kind: 'user-given',
      loginName: argument,
      user: answer.user,
      anonymous,
      passwordRequired,
    };
    session.setLogin(given);
    context.log.trace(
      'auth',
      7,
      () => `'${argument}' is ${anonymous === null ? 'user' : 'anonymous, as'} '${answer.user}'`,
    );
    context.facts.loginName = argument;
    if (session.protection.hasClientCertificate && session.protection.vouchesFor(answer.user, answer.home)) {
      const vouched = await logInByCertificate(session, given);
      if (vouched !== null) return vouched;
    }
    if (anonymous !== null && !passwordRequired) {
      return reply(331, 'Anonymous login ok, send your complete email address as your password');
    }
    return reply(331, `Password required for ${argument}`);
  });
}

/** PASS: the argument as received, spaces included. */
export async function givePassword(session: FtpSession, password: string): Promise<Reply> {
  const state = session.login;
  if (state.kind === 'new') return reply(503, 'Login with USER first');
  if (state.kind === 'logged-in') return reply(503, 'You are already logged in');
  return whileMainAnswers(session, async () => {
    const result = await session.context.services.login(claimFor(session, state, password));
    if (result.ok) {
      if (state.anonymous !== null && !state.passwordRequired)
        session.context.facts.anonymousPassword = password;
      return enter(session, state, result.account, result.anonymous, 230);
    }
    session.setLogin({ kind: 'new' });
    session.context.log.trace('auth', 3, () => `login of '${state.loginName}' refused: ${result.code}`);
    if (result.code === 'too-many-attempts') session.end('policy', 'Denied by MaxLoginAttempts');
    const code = result.code === 'empty-password' ? 501 : 530;
    return { code, text: denialText(session, state), close: result.disconnect };
  });
}

async function logInByCertificate(session: FtpSession, state: UserGiven): Promise<Reply | null> {
  const result = await session.context.services.login(claimFor(session, state, null));
  if (!result.ok) return null;
  session.context.log.system('info', `USER ${state.loginName}: Authenticated without password`);
  return enter(session, state, result.account, result.anonymous, 232);
}

function claimFor(session: FtpSession, state: UserGiven, password: string | null): LoginClaim {
  const { config, context } = session;
  return {
    loginName: state.loginName,
    password,
    virtualHost: config.virtualHost.id,
    configVersion: config.server.version,
    hostName: config.principal.hostName,
    className: config.principal.className,
    verifiedByCertificate: password === null,
    protocol: context.facts.protocol,
  };
}

/** From a proved identity to the 230: everything that can still fail ends the session, as the original does. */
async function enter(
  session: FtpSession,
  state: UserGiven,
  account: Account,
  anonymousIndex: number | null,
  code: 230 | 232,
): Promise<Reply> {
  const denied: Reply = { code: 530, text: denialText(session, state), close: true };
  const section = anonymousSection(session.config, anonymousIndex);
  const principal = {
    ...session.config.principal,
    user: account.user,
    groups: account.groups,
    authenticated: true,
  };
  session.useConfig(session.config.withPrincipal(principal, section));
  noteAccount(session, state, account);
  session.context.log.trace(
    'auth',
    5,
    () =>
      `'${state.loginName}' is '${account.user}': uid ${account.uid}, gid ${account.gid}, ` +
      `groups ${account.groups.join(',') || '-'}, home '${account.home}'`,
  );
  if (!session.protection.admitsLogin()) return denied;
  const entered = enterFiles(session, account, section);
  if (entered === null) return denied;
  const refusal = await admit(session, state, account, anonymousIndex, entered);
  if (refusal !== null) return refusal;
  session.setLogin({
    kind: 'logged-in',
    loginName: state.loginName,
    account,
    anonymous: section,
    vfs: entered.vfs,
  });
  return withLinesBefore(reply(code, grantText(session.settings, state, section)), await loginLines(session));
}

/** MaxClients and its kin: counted when everything else is ready. */
async function admit(
  session: FtpSession,
  state: UserGiven,
  account: Account,
  anonymous: number | null,
  entered: EnteredFiles,
): Promise<Reply | null> {
  const { config, context } = session;
  const claim = {
    user: account.user,
    loginName: state.loginName,
    anonymous,
    virtualHost: config.virtualHost.id,
    configVersion: config.server.version,
    className: config.principal.className,
    groups: account.groups,
  };
  try {
    const verdict = await context.services.admitLogin(claim);
    if (verdict.ok) return null;
    entered.vfs.close();
    session.end('policy', verdict.reason);
    return { code: 530, text: verdict.reply.replace(/^530 /, ''), close: true };
  } catch (error) {
    entered.vfs.close();
    throw error;
  }
}

function noteAccount(session: FtpSession, state: UserGiven, account: Account): void {
  const { facts } = session.context;
  facts.loginName = state.loginName;
  facts.user = account.user;
  facts.group = account.groupName;
  facts.uid = account.uid;
  facts.gid = account.gid;
}

async function loginLines(session: FtpSession): Promise<string[]> {
  const { displayLogin } = session.settings;
  const welcome = displayLogin === null ? null : await displaySessionFile(session, displayLogin);
  return [...(welcome ?? []), ...readmeNotice(session, session.directoryConfig.settings.displayReadme)];
}

function grantText(settings: Settings, state: UserGiven, section: AnonymousSection | null): string {
  if (settings.accessGrantMsg !== null) return withUserName(settings.accessGrantMsg, state);
  return section === null
    ? `User ${state.loginName} logged in`
    : 'Anonymous access granted, restrictions apply';
}

function denialText(session: FtpSession, state: UserGiven): string {
  const { config } = session;
  const { accessDenyMsg } = config.withPrincipal(config.principal, state.anonymous).settings;
  return accessDenyMsg === null ? LOGIN_INCORRECT : withUserName(accessDenyMsg, state);
}

function withUserName(text: string, state: UserGiven): string {
  return text.replaceAll('%u', state.loginName);
}

function anonymousSection(config: EffectiveConfig, index: number | null): AnonymousSection | null {
  return index === null ? null : (allAnonymousSections(config.virtualHost)[index] ?? null);
}

/** Main does not answer in time, or is gone: nobody can be let in. */
async function whileMainAnswers(session: FtpSession, dialogue: () => Promise<Reply>): Promise<Reply> {
  try {
    return await dialogue();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    session.context.log.system('error', 'login is not possible: the main actor does not answer');
    return UNAVAILABLE;
  }
}
