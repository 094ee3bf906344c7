/** Whether a connection or a login is let in: every limit that counts sessions (ftp-core reference, section 5). */
import type { AdmitLogin, TransferAdmission, Verdict } from '../actor/messages.ts';
import { allAnonymousSections } from '../config/anonymous-login.ts';
import type { LimitWithMessage, ServerConfig, Settings } from '../config/server-config.ts';
import type { SessionEntry, SessionRegistry } from './session-registry.ts';

/** close: no reply, the socket is closed (MaxInstances, MaxConnectionRate). refuse: the session actor says `reply`. */
export type ConnectionVerdict =
  | { readonly kind: 'serve' }
  | { readonly kind: 'close'; readonly log: string }
  | { readonly kind: 'refuse'; readonly reply: string; readonly log: string };

/** Counts connections per interval for MaxConnectionRate. */
export class ConnectionRate {
  #windowStart = 0;
  #count = 0;

  /** True when one more connection at `now` (milliseconds) is within the limit. */
  admits(limit: Settings['maxConnectionRate'], now: number): boolean {
    if (limit === null || limit.count === 0) return true;
    if (now - this.#windowStart >= limit.seconds * 1000) {
      this.#windowStart = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= limit.count;
  }
}

export interface ConnectionAttempt {
  readonly remoteAddress: string;
  /** Null: no virtual host answers on the local address; the session actor says so. */
  readonly virtualHost: number | null;
  /** Settings of that virtual host, or of the main server. */
  readonly settings: Settings;
  /** Settings of the main server, which hold MaxInstances and MaxConnectionRate. */
  readonly serverSettings: Settings;
  readonly now: number;
}

export function admitConnection(
  attempt: ConnectionAttempt,
  registry: SessionRegistry,
  rate: ConnectionRate,
): ConnectionVerdict {
  const { serverSettings, settings } = attempt;
  const { maxInstances } = serverSettings;
  if (maxInstances > 0 && registry.size >= maxInstances) {
    return { kind: 'close', log: `MaxInstances (${maxInstances}) reached, new connection denied` };
  }
  if (!rate.admits(serverSettings.maxConnectionRate, attempt.now)) {
    const { count, seconds } = serverSettings.maxConnectionRate!;
    return {
      kind: 'close',
      log: `MaxConnectionRate (${count}/${seconds} secs) reached, new connection denied`,
    };
  }
  const perHost = settings.maxConnectionsPerHost;
  if (perHost.count > 0) {
    const connected = registry.count(
      (entry) => entry.remoteAddress === attempt.remoteAddress && entry.virtualHost === attempt.virtualHost,
    );
    if (connected >= perHost.count) {
      const standard = 'Sorry, the maximum number of connections (%m) for your host are already connected.';
      return {
        kind: 'refuse',
        reply: `530 ${limitText(perHost, standard)}`,
        log: `Connection refused (MaxConnectionsPerHost ${perHost.count})`,
      };
    }
  }
  return { kind: 'serve' };
}

interface LoginLimit {
  readonly directive: string;
  readonly limit: LimitWithMessage;
  /** Sessions or hosts that count already, this login not among them. */
  readonly taken: () => number;
  readonly text: string;
}

/** `reply` is the text behind 530; `log` goes to the server log. */
export type LoginVerdict = { readonly ok: true } | (Verdict & { readonly ok: false; readonly log: string });

/**
 * MaxClientsPerClass, MaxClientsPerHost, MaxClientsPerUser, MaxClients, MaxHostsPerUser, in this order. `settings` are
 * those in force for the login (user, groups and `<Anonymous>` merged).
 */
export function admitLogin(
  claim: AdmitLogin,
  session: SessionEntry,
  settings: Settings,
  config: ServerConfig,
  registry: SessionRegistry,
): LoginVerdict {
  for (const limit of loginLimits(claim, session, settings, config, registry)) {
    if (limit.limit.count <= 0 || limit.taken() < limit.limit.count) continue;
    return {
      ok: false,
      reply: limitText(limit.limit, limit.text),
      reason: `Denied by ${limit.directive}`,
      log: `Connection refused (${limit.directive} ${limit.limit.count})`,
    };
  }
  return { ok: true };
}

function loginLimits(
  claim: AdmitLogin,
  session: SessionEntry,
  settings: Settings,
  config: ServerConfig,
  registry: SessionRegistry,
): LoginLimit[] {
  const host = session.remoteAddress;
  const user = claim.anonymous === null ? claim.user : claim.loginName;
  const perClass = settings.maxClientsPerClass.find((entry) => entry.className === claim.className);
  // A limit written inside <Anonymous> counts that section's sessions only; any other counts the whole virtual host.
  const server = config.virtualHosts[claim.virtualHost];
  const section =
    claim.anonymous === null || server === undefined
      ? undefined
      : allAnonymousSections(server)[claim.anonymous];
  const countFor = (
    key: 'maxClients' | 'maxClientsPerHost' | 'maxClientsPerUser',
    matches: (entry: SessionEntry, name: string) => boolean,
  ) => {
    const onlySection = section?.settings[key] !== undefined;
    return () =>
      registry.countLoggedIn(
        (entry, login) =>
          entry !== session &&
          login.virtualHost === claim.virtualHost &&
          (!onlySection || login.anonymous === claim.anonymous) &&
          matches(entry, login.anonymous === null ? login.account.user : login.loginName),
      );
  };
  const limits: LoginLimit[] = [];
  if (perClass !== undefined) {
    limits.push({
      directive: 'MaxClientsPerClass',
      limit: perClass,
      taken: () =>
        registry.countLoggedIn(
          (entry, login) =>
            entry !== session &&
            login.virtualHost === claim.virtualHost &&
            login.className === claim.className,
        ),
      text: 'Sorry, the maximum number of clients (%m) from your class are already connected.',
    });
  }
  limits.push(
    {
      directive: 'MaxClientsPerHost',
      limit: settings.maxClientsPerHost,
      taken: countFor('maxClientsPerHost', (entry) => entry.remoteAddress === host),
      text: 'Sorry, the maximum number of clients (%m) from your host are already connected.',
    },
    {
      directive: 'MaxClientsPerUser',
      limit: settings.maxClientsPerUser,
      taken: countFor('maxClientsPerUser', (_entry, name) => name === user),
      text: 'Sorry, the maximum number of clients (%m) for this user are already connected.',
    },
    {
      directive: 'MaxClients',
      limit: settings.maxClients,
      taken: countFor('maxClients', () => true),
      text: 'Sorry, the maximum number of allowed clients (%m) are already connected.',
    },
    {
      directive: 'MaxHostsPerUser',
      limit: settings.maxHostsPerUser,
      taken: () => otherHosts(user, session, claim.virtualHost, registry),
      text: 'Sorry, the maximum number of hosts (%m) for this user are already connected.',
    },
  );
  return limits;
}

/** Hosts from which this user is logged in already; none counts when this session's host is one of them. */
function otherHosts(
  user: string,
  session: SessionEntry,
  virtualHost: number,
  registry: SessionRegistry,
): number {
  const hosts = new Set<string>();
  for (const entry of registry.all()) {
    if (entry === session || entry.phase.kind !== 'logged-in' || entry.phase.virtualHost !== virtualHost)
      continue;
    const name = entry.phase.anonymous === null ? entry.phase.account.user : entry.phase.loginName;
    if (name === user) hosts.add(entry.remoteAddress);
  }
  return hosts.has(session.remoteAddress) ? 0 : hosts.size;
}

/** MaxTransfersPerHost and MaxTransfersPerUser; 0 in the claim means no limit. */
export function admitTransfer(
  claim: TransferAdmission,
  session: SessionEntry,
  registry: SessionRegistry,
): 'ok' | 'host-limit' | 'user-limit' {
  const counted = (commands: readonly string[] | undefined, entry: SessionEntry): boolean =>
    entry !== session &&
    entry.transfer !== null &&
    (commands === undefined ? entry.transfer === claim.command : commands.includes(entry.transfer));
  if (claim.perHost > 0) {
    const running = registry.count(
      (entry) => counted(claim.hostCommands, entry) && entry.remoteAddress === session.remoteAddress,
    );
    if (running >= claim.perHost) return 'host-limit';
  }
  const user = session.phase.kind === 'logged-in' ? session.phase.account.user : null;
  if (claim.perUser > 0 && user !== null) {
    const running = registry.countLoggedIn(
      (entry, login) => counted(claim.userCommands, entry) && login.account.user === user,
    );
    if (running >= claim.perUser) return 'user-limit';
  }
  return 'ok';
}

/** The administrator's text or the standard one, `%m` replaced by the limit. */
export function limitText(limit: LimitWithMessage, standard: string): string {
  return (limit.message ?? standard).replaceAll('%m', String(limit.count));
}
