/** From a user main has accepted to a session: configuration, files, limits, in the order FTP has (workers/ftp/login.ts). */
import type { Account } from '../../../src/actor/messages.ts';
import { enterFiles } from '../../login/enter-files.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import type { EnteredSession, UserauthHost, UserauthStep } from './userauth.ts';

/** Everything that can still fail ends the connection: the client has proved who it is, trying again changes nothing. */
export async function enterSession(
  host: UserauthHost,
  loginName: string,
  account: Account,
): Promise<UserauthStep> {
  const { context } = host;
  const config = host.config.withPrincipal(
    { ...host.config.principal, user: account.user, groups: account.groups, authenticated: true },
    null,
  );
  context.configChanged(config);
  noteAccount(host, loginName, account);
  const files = enterFiles({ context, config, settings: config.settings }, account, null);
  if (files === null) return denied(DisconnectCode.byApplication, 'Login incorrect.', null);
  const entered: EnteredSession = { config, account, vfs: files.vfs, loginName };
  try {
    const verdict = await context.services.admitLogin({
      user: account.user,
      loginName,
      anonymous: null,
      virtualHost: config.virtualHost.id,
      configVersion: config.server.version,
      className: config.principal.className,
      groups: account.groups,
    });
    if (verdict.ok) return { kind: 'accepted', entered };
    files.vfs.close();
    return denied(DisconnectCode.tooManyConnections, verdict.reply.replace(/^530 /, ''), verdict.reason);
  } catch (error) {
    files.vfs.close();
    throw error;
  }
}

function denied(code: number, text: string, detail: string | null): UserauthStep {
  return { kind: 'disconnect', code, text, reason: 'policy', detail };
}

function noteAccount({ context }: UserauthHost, loginName: string, account: Account): void {
  const { facts } = context;
  facts.loginName = loginName;
  facts.user = account.user;
  facts.group = account.groupName;
  facts.uid = account.uid;
  facts.gid = account.gid;
  context.log.trace(
    'ssh2',
    5,
    () =>
      `'${loginName}' is '${account.user}': uid ${account.uid}, gid ${account.gid}, ` +
      `groups ${account.groups.join(',') || '-'}, home '${account.home}'`,
  );
}
