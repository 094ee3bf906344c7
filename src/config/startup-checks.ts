/** Checks that look at more than one directive. They run on finished servers, before anything is bound. */
import { ConfigError } from './config-error.ts';
import type { Diagnostics } from './diagnostics.ts';
import { valueOf } from './listeners.ts';
import type { Scope, Settings, VirtualHost } from './server-config.ts';

/** What the checks look at. */
export interface CheckedConfig {
  readonly virtualHosts: readonly VirtualHost[];
  readonly logFormats: ReadonlyMap<string, string>;
  readonly defaults: Settings;
  /** For `mod_tls/VERSION` in messages. */
  readonly tlsVersion: string;
}

/** Runs every check. Throws ConfigError unless diagnostics collects. */
export function checkServers(config: CheckedConfig, diagnostics: Diagnostics): void {
  for (const host of config.virtualHosts) {
    checkPerUserTls(host, config, diagnostics);
    checkTlsEngine(host, config, diagnostics);
    checkLogFormats(host, config, diagnostics);
    checkPassivePorts(host, config, diagnostics);
    checkSftpServer(host, config, diagnostics);
  }
  checkDefaultServers(config, diagnostics);
  if (config.virtualHosts.every((host) => host.port === 0))
    diagnostics.warn('no server has a port to listen on');
}

/**
 * AllowPerUser waits for the user, TLSRequired auth does not: both together can only refuse everybody, unless a section
 * relaxes the requirement (ftps reference, section 2.2). Conditional sections may relax it at any login.
 */
function checkPerUserTls(host: VirtualHost, config: CheckedConfig, diagnostics: Diagnostics): void {
  const value = <K extends keyof Settings>(key: K): Settings[K] => valueOf(host, key, config.defaults);
  if (!value('tlsEngine') || !value('tlsOptions').includes('AllowPerUser')) return;
  if (!value('tlsRequired').auth || host.conditionals.length > 0) return;
  const relaxes = (scope: Scope): boolean => scope.settings.tlsRequired?.auth === false;
  const inner = [
    ...host.anonymous,
    ...host.directories,
    ...host.anonymous.flatMap((section) => section.directories),
  ];
  if (inner.some(relaxes)) return;
  const reason = "cannot enforce both 'TLSRequired auth' and 'TLSOptions AllowPerUser' at the same time";
  diagnostics.fail(new ConfigError(`mod_tls/${config.tlsVersion}: Server ${value('serverName')}: ${reason}`));
}

/** A requirement that nothing enforces is worse than none: the operator believes in it. */
function checkTlsEngine(host: VirtualHost, config: CheckedConfig, diagnostics: Diagnostics): void {
  if (valueOf(host, 'tlsEngine', config.defaults)) return;
  const name = valueOf(host, 'serverName', config.defaults);
  const required = host.settings.tlsRequired;
  if (required !== undefined && (required.auth || required.control || required.data === 'required')) {
    diagnostics.warn(`Server ${name}: TLSRequired is not enforced, because TLSEngine is off`);
  }
  if (host.settings.tlsOptions?.includes('UseImplicitSSL') === true) {
    diagnostics.warn(`Server ${name}: UseImplicitSSL has no effect, because TLSEngine is off`);
  }
}

/** What a virtual host of mod_sftp cannot be, and what it cannot do (sftp-directives, section 1). */
function checkSftpServer(host: VirtualHost, config: CheckedConfig, diagnostics: Diagnostics): void {
  const value = <K extends keyof Settings>(key: K): Settings[K] => valueOf(host, key, config.defaults);
  if (!value('sftpEngine')) return;
  const name = value('serverName');
  if (value('tlsEngine')) {
    const both = 'cannot support both FTPS (TLSEngine on) and SFTP (SFTPEngine on) for the same host';
    diagnostics.fail(new ConfigError(`mod_sftp: Server '${name}': ${both}`, { location: host.location }));
  }
  // As in the original no reason to keep the other servers from starting: each session is refused, and SFTPLog says why.
  if (value('sftpHostKey').every((source) => source.kind === 'without'))
    diagnostics.warn(`mod_sftp: Server '${name}': no SFTPHostKey, so every session will be refused`);
  const methods = new Set((value('sftpAuthMethods') ?? []).flat());
  const refuseMethods = (reason: string): void =>
    diagnostics.fail(new ConfigError(reason, { directive: 'SFTPAuthMethods', location: host.location }));
  const needs = (method: string, stores: number, directive: string): void => {
    if (!methods.has(method) || stores > 0) return;
    refuseMethods(`cannot support authentication method '${method}' without ${directive} configuration`);
  };
  if (methods.has('keyboard-interactive:otp') && value('userStore') === null)
    refuseMethods("unsupported authentication method 'keyboard-interactive:otp': No drivers loaded");
  const userKeys = value('sftpAuthorizedUserKeys').length + (value('sftpTrustedUserCAKeys') === null ? 0 : 1);
  const storesKeys = value('userStore') === null ? 0 : 1;
  needs('publickey', userKeys + storesKeys, 'SFTPAuthorizedUserKeys');
  needs('hostbased', value('sftpAuthorizedHostKeys').length, 'SFTPAuthorizedHostKeys');
  const scopes: readonly Scope[] = [host, ...host.directories, ...host.conditionals];
  if (scopes.some((scope) => (scope.settings.userOwner ?? null) !== null))
    diagnostics.warn(
      value('rootRevoke') === 'on'
        ? `Server ${name}: UserOwner has no effect, because RootRevoke on gives root privileges up`
        : `Server ${name}: UserOwner is configured: root privileges are kept for it`,
    );
  const ignored = (what: string): void =>
    diagnostics.warn(`Server ${name}: ${what} is not supported by SFTP and will be ignored`);
  if (host.anonymous.length > 0) ignored('<Anonymous>');
  if (host.settings.listOptions !== undefined) ignored('ListOptions');
  if (host.settings.maxRetrieveFileSize !== undefined) ignored('MaxRetrieveFileSize');
}

function checkLogFormats(host: VirtualHost, config: CheckedConfig, diagnostics: Diagnostics): void {
  const scopes: readonly Scope[] = [host, ...host.anonymous, ...host.conditionals];
  const nicknames = scopes.flatMap((scope) => (scope.settings.extendedLog ?? []).map((log) => log.format));
  for (const nickname of new Set(nicknames)) {
    if (!config.logFormats.has(nickname)) {
      diagnostics.warn(`ExtendedLog: no LogFormat named '${nickname}': using the default format`);
    }
  }
}

function checkPassivePorts(host: VirtualHost, config: CheckedConfig, diagnostics: Diagnostics): void {
  const range = valueOf(host, 'passivePorts', config.defaults);
  if (range === null) return;
  const ports = new Set(config.virtualHosts.map((other) => other.port));
  for (const port of ports) {
    if (port < range.min || port > range.max) continue;
    diagnostics.warn(
      `PassivePorts ${range.min}-${range.max} includes port ${port}, on which a server listens`,
    );
  }
}

function checkDefaultServers(config: CheckedConfig, diagnostics: Diagnostics): void {
  const defaults = config.virtualHosts.filter(
    (host) => host.port !== 0 && valueOf(host, 'defaultServer', config.defaults),
  );
  for (const port of new Set(defaults.map((host) => host.port))) {
    const sharing = defaults.filter((host) => host.port === port);
    if (sharing.length < 2) continue;
    const first = sharing[0] === undefined ? '' : valueOf(sharing[0], 'serverName', config.defaults);
    diagnostics.warn(`DefaultServer: several servers of port ${port} claim it: "${first}" has it`);
  }
}
