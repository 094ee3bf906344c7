/** The files a configuration names, for main to open or read before it gives up root. */
import type { PartialSettings, Scope, ServerConfig } from './server-config.ts';

/** Paths as written in the directives, each once. */
export interface ConfigFiles {
  /** SystemLog, ServerLog, TLSLog, SFTPLog, TransferLog, TraceLog and ExtendedLog files. */
  readonly logs: readonly string[];
  /** Certificates, keys, PKCS#12, chains, CA bundles, CRLs and DH parameters. */
  readonly tls: readonly string[];
  /** Those of `tls` that nobody but the server may read: files of TLSPreSharedKey. */
  readonly preSharedKeys: readonly string[];
  /** Directories of TLSCACertificatePath and TLSCARevocationPath. */
  readonly tlsDirectories: readonly string[];
}

/** Every file that any section of any server names; `none` and `syslog:` targets left out. */
export function configFiles(config: ServerConfig): ConfigFiles {
  const settings = config.virtualHosts.flatMap(scopesOf).map((scope) => scope.settings);
  return {
    logs: distinct(settings.flatMap(logPaths).filter((path) => !path.startsWith('syslog:'))),
    tls: distinct(settings.flatMap(tlsPaths)),
    preSharedKeys: distinct(settings.flatMap(preSharedKeyPaths)),
    tlsDirectories: distinct(settings.flatMap((own) => [own.tlsCACertificatePath, own.tlsCARevocationPath])),
  };
}

/** A scope and all scopes inside it. */
function scopesOf(scope: Scope): readonly Scope[] {
  const inner: Scope[] = [...scope.directories];
  if ('anonymous' in scope) inner.push(...(scope.anonymous as readonly Scope[]));
  if ('conditionals' in scope) inner.push(...(scope.conditionals as readonly Scope[]));
  return [scope, ...inner.flatMap(scopesOf)];
}

function logPaths(own: PartialSettings): readonly string[] {
  const single = [
    own.systemLog,
    own.serverLog,
    own.tlsLog,
    own.sftpLog,
    own.transferLog,
    own.traceLog,
    own.structuredLog,
  ];
  return distinct([...single, ...(own.extendedLog ?? []).map((target) => target.path)]);
}

function tlsPaths(own: PartialSettings): readonly string[] {
  return distinct([
    own.tlsRSACertificateFile,
    own.tlsRSACertificateKeyFile,
    own.tlsECCertificateFile,
    own.tlsECCertificateKeyFile,
    own.tlsDSACertificateFile,
    own.tlsDSACertificateKeyFile,
    own.tlsPKCS12File,
    own.tlsCertificateChainFile,
    own.tlsCACertificateFile,
    own.tlsCARevocationFile,
    ...(own.tlsDHParamFile ?? []),
    ...preSharedKeyPaths(own),
  ]);
}

function preSharedKeyPaths(own: PartialSettings): readonly string[] {
  return (own.tlsPreSharedKey ?? []).map(({ path }) => path);
}

function distinct(paths: readonly (string | null | undefined)[]): readonly string[] {
  return [...new Set(paths.filter((path) => typeof path === 'string' && path !== 'none'))] as string[];
}
