/** Typed options for embedders, translated into the configuration language: one set of rules for both. */

export interface ServerOptions {
  /** Numeric address to listen on; default 127.0.0.1. */
  readonly address?: string;
  /** FTP port with AUTH TLS. */
  readonly port: number;
  readonly serverName?: string;
  /** Certificate and key, PEM files; without them the server speaks plain FTP only. */
  readonly tls?: {
    readonly certificateFile: string;
    readonly keyFile: string;
    readonly algorithm: 'EC' | 'RSA';
    /** Default true: control and data connections must be protected. */
    readonly required?: boolean;
    /** TLS from the first byte instead of AUTH TLS. */
    readonly implicit?: boolean;
  };
  /** passwd(5)-style file (AuthUserFile), or the embedded store (LockgateUserStore). */
  readonly users: { readonly passwordFile: string } | { readonly userStore: string };
  /** Every user stays in their home; default true. */
  readonly confineToHome?: boolean;
  readonly passivePorts?: readonly [min: number, max: number];
  /** Address told to clients behind NAT. */
  readonly masqueradeAddress?: string;
  /** Sessions at one time. */
  readonly maxClients?: number;
  /** Further lines in the configuration language. */
  readonly directives?: readonly string[];
}

/** The configuration text of these options. */
export function optionsToConfig(options: ServerOptions): string {
  const { tls, users } = options;
  const lines = [
    `ServerName ${quote(options.serverName ?? 'Lockgate')}`,
    'DefaultServer on',
    `DefaultAddress ${quote(options.address ?? '127.0.0.1')}`,
    'SocketBindTight on',
    `Port ${options.port}`,
    'RequireValidShell off',
    ...('passwordFile' in users
      ? ['AuthOrder mod_auth_file.c', `AuthUserFile ${quote(users.passwordFile)}`]
      : ['AuthOrder mod_lockgate.c', `LockgateUserStore ${quote(users.userStore)}`]),
  ];
  if (options.confineToHome !== false) lines.push('DefaultRoot ~');
  if (options.passivePorts !== undefined) lines.push(`PassivePorts ${options.passivePorts.join(' ')}`);
  if (options.masqueradeAddress !== undefined)
    lines.push(`MasqueradeAddress ${quote(options.masqueradeAddress)}`);
  if (options.maxClients !== undefined) lines.push(`MaxClients ${options.maxClients}`);
  if (tls !== undefined) {
    lines.push(
      'TLSEngine on',
      `TLS${tls.algorithm}CertificateFile ${quote(tls.certificateFile)}`,
      `TLS${tls.algorithm}CertificateKeyFile ${quote(tls.keyFile)}`,
      `TLSRequired ${tls.required === false ? 'off' : 'on'}`,
    );
    if (tls.implicit === true) lines.push('TLSOptions UseImplicitSSL');
  }
  return [...lines, ...(options.directives ?? []), ''].join('\n');
}

/** A line break would start another directive. */
function quote(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new TypeError('an option holds a line break');
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
