/**
 * The readonly shape of a running configuration. Plain data: it crosses threads by structured clone
 * (RegExp and Map survive that, functions and prototypes do not), so nothing here has behaviour.
 */

/** Where a directive stands, for messages of the form `on line N of 'FILE'`. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
}

/** A list of user, group or class names with the operator of mod_ifsession and `<Limit>`. */
export type NameExpression =
  | { readonly mode: 'and' | 'or'; readonly terms: readonly NameTerm[] }
  | { readonly mode: 'regex'; readonly pattern: RegExp };

export interface NameTerm {
  readonly name: string;
  readonly negate: boolean;
}

/** `[user|group|class expression]` at the end of a directive; absent means the value is for everybody. */
export interface AppliesTo {
  readonly kind: 'user' | 'group' | 'class';
  readonly expression: NameExpression;
}

/** A value of a directive that may be given several times, for different principals. */
export interface Conditional<T> {
  readonly value: T;
  readonly appliesTo?: AppliesTo;
}

/** One word of `Allow from`, `Deny from` and `<Class> From`. `domain` starts with a dot. */
export type AddressPattern =
  | { readonly kind: 'all' | 'none'; readonly negate: boolean }
  | { readonly kind: 'cidr'; readonly negate: boolean; readonly address: string; readonly bits: number }
  | { readonly kind: 'prefix'; readonly negate: boolean; readonly prefix: string }
  | { readonly kind: 'name' | 'domain' | 'glob'; readonly negate: boolean; readonly text: string };

/** A regular expression of a filter directive; `negate` for a leading `!`. */
export interface Filter {
  readonly pattern: RegExp;
  readonly negate: boolean;
}

/** One `<Limit COMMAND ...>` section; command and group names in upper case. */
export interface LimitSection {
  readonly commands: readonly string[];
  readonly order: 'allow,deny' | 'deny,allow';
  readonly allowAll: boolean;
  readonly denyAll: boolean;
  readonly allowFrom: readonly AddressPattern[];
  readonly denyFrom: readonly AddressPattern[];
  readonly allowUser: readonly NameExpression[];
  readonly denyUser: readonly NameExpression[];
  readonly allowGroup: readonly NameExpression[];
  readonly denyGroup: readonly NameExpression[];
  readonly allowClass: readonly NameExpression[];
  readonly denyClass: readonly NameExpression[];
  readonly allowFilter?: RegExp;
  readonly denyFilter?: RegExp;
  readonly ignoreHidden: boolean;
  readonly location: SourceLocation;
}

/** What every section can hold. */
export interface Scope {
  readonly settings: PartialSettings;
  readonly limits: readonly LimitSection[];
  readonly directories: readonly DirectorySection[];
}

/** `<Directory path>`; `path` absolute unless it starts with `~` or stands in `<Anonymous>`. */
export interface DirectorySection extends Scope {
  readonly path: string;
  readonly location: SourceLocation;
}

/** `<IfUser>`, `<IfGroup>`, `<IfClass>`, `<IfAuthenticated>` of mod_ifsession. */
export interface ConditionalSection extends Scope {
  readonly kind: 'user' | 'group' | 'class' | 'authenticated';
  readonly expression?: NameExpression;
  readonly anonymous: readonly AnonymousSection[];
  readonly location: SourceLocation;
}

/** `<Anonymous root>`; `settings.user` names the login. */
export interface AnonymousSection extends Scope {
  readonly root: string;
  readonly conditionals: readonly ConditionalSection[];
  readonly location: SourceLocation;
}

/** The main server (`id` 0) or one `<VirtualHost>`, `<Global>` already merged in. */
export interface VirtualHost extends Scope {
  readonly id: number;
  readonly isMain: boolean;
  /** Numeric addresses; `0.0.0.0` and `::` stand for every address of the family. */
  readonly addresses: readonly string[];
  /** 0: this server does not listen. */
  readonly port: number;
  readonly anonymous: readonly AnonymousSection[];
  readonly conditionals: readonly ConditionalSection[];
  readonly location: SourceLocation;
  /** The line each setting came from, for checks that run behind the parser; `<Global>` lines included. */
  readonly origins?: ReadonlyMap<keyof Settings, SourceLocation>;
}

/** `<Class name>`; the first class that matches at connect is the session's. */
export interface ClassSection {
  readonly name: string;
  readonly from: readonly AddressPattern[];
  readonly satisfy: 'any' | 'all';
}

/** One address and port to bind; `virtualHosts` are the ids that share it, in file order. */
export interface ListenerConfig {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly virtualHosts: readonly number[];
}

export interface ServerConfig {
  /** Grows with each reload; a worker that meets a version it has not seen fetches it. */
  readonly version: number;
  readonly file: string;
  /** Labels of `-D` and `Define`. */
  readonly defines: readonly string[];
  readonly listeners: readonly ListenerConfig[];
  /** `[0]` is the main server; ids are indexes. */
  readonly virtualHosts: readonly VirtualHost[];
  readonly classes: readonly ClassSection[];
  /** `LogFormat` nicknames; `default` is always there. */
  readonly logFormats: ReadonlyMap<string, string>;
  /**
   * Log files opened by main (as root where it started so): path as written in the directive -> descriptor.
   * Descriptors belong to the process, so every worker writes to them directly, in append mode.
   */
  readonly logDescriptors: ReadonlyMap<string, number>;
  /** Key and certificate bytes read by main before it gave up root: path -> PEM or PKCS#12 bytes. */
  readonly secretFiles: ReadonlyMap<string, Uint8Array>;
  /** Pass phrases of TLSPKCS12File bundles, learnt at start (checkTlsConfiguration): path -> pass phrase. */
  readonly pkcs12PassPhrases?: ReadonlyMap<string, string>;
  /**
   * Stapled OCSP responses, kept fresh by main (crypto/staple-slot.ts): SHA-256 fingerprint of the server certificate ->
   * shared memory that main writes and every worker reads.
   */
  readonly staples?: ReadonlyMap<string, SharedArrayBuffer>;
  /** Host keys of SFTPHostKey, read and decrypted by main: path -> PKCS#8 DER. */
  readonly sshHostKeys?: ReadonlyMap<string, Uint8Array>;
  /** True where the process can act as the logged-in users (it was started as root). */
  readonly actsAsUsers: boolean;
}

export type PartialSettings = { readonly [K in keyof Settings]?: Settings[K] };

export type TlsVersion = 'SSLv3' | 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** The three flags behind TLSRequired (ftps-directives, section 2); `data` may be forbidden. */
export interface TlsRequired {
  readonly control: boolean;
  readonly data: 'required' | 'optional' | 'forbidden';
  readonly auth: boolean;
}

export type TlsOption =
  | 'AllowClientRenegotiations'
  | 'AllowDotLogin'
  | 'AllowPerUser'
  | 'AllowWeakDH'
  | 'AllowWeakSecurity'
  | 'CommonNameRequired'
  | 'dNSNameRequired'
  | 'iPAddressRequired'
  | 'EnableDiags'
  | 'ExportCertData'
  | 'IgnoreSNI'
  | 'NoAutoECDH'
  | 'NoCertRequest'
  | 'NoEmptyFragments'
  | 'NoSessionReuseRequired'
  | 'StdEnvVars'
  | 'UseImplicitSSL';

export type TlsRevocationMethod = 'crl' | 'ocsp';

export type TlsStaplingOption = 'NoNonce' | 'NoVerify' | 'NoFakeTryLater';

/** Responses always live in main's memory; `directory` keeps them over a restart (fscache). */
export type TlsStaplingCache =
  { readonly kind: 'memory' } | { readonly kind: 'directory'; readonly path: string };

/** One TLSPreSharedKey: the key stands as hexadecimal text in a file that main reads. */
export interface TlsPreSharedKeyFile {
  readonly identity: string;
  readonly path: string;
}

/** TLSSessionTicketKeys: a new key every `ageSeconds`; the newest `count` keys open tickets. */
export interface TlsTicketKeyRotation {
  readonly ageSeconds: number;
  readonly count: number;
}

export interface TlsRenegotiate {
  readonly controlSeconds: number;
  readonly dataKilobytes: number;
  readonly timeoutSeconds: number;
  readonly required: boolean;
}

export interface ExtendedLogTarget {
  /** Absolute path, or `syslog:LEVEL`. */
  readonly path: string;
  /** Upper-case class names; empty means ALL. */
  readonly classes: readonly string[];
  readonly excludedClasses: readonly string[];
  readonly commands: readonly string[];
  readonly excludedCommands: readonly string[];
  /** Nickname of a LogFormat. */
  readonly format: string;
}

export interface TransferRateLimit {
  readonly commands: readonly string[];
  readonly kilobytesPerSecond: number;
  readonly freeBytes: number;
}

export interface ListOptions {
  /** Letters forced on and off by the directive, for example `forced: 'a'`. */
  readonly forced: string;
  readonly removed: string;
  readonly strict: boolean;
  readonly maxFiles: number;
  readonly maxDirectories: number;
  readonly maxDepth: number;
  readonly listOnly: boolean;
  readonly nlstOnly: boolean;
  readonly noErrorIfAbsent: boolean;
  readonly adjustedSymlinks: boolean;
  readonly sortedNlst: boolean;
}

export interface CreateHome {
  readonly enabled: boolean;
  readonly mode: number;
  readonly skeleton?: string;
  readonly directoryMode: number;
  readonly uid?: number | '~';
  readonly gid?: number | '~';
  readonly homeGid?: number;
  readonly noRootPrivileges: boolean;
}

export interface PasswordFileFilter {
  readonly path: string;
  readonly ids?: { readonly min: number; readonly max: number };
  readonly home?: Filter;
  readonly name?: Filter;
}

export interface LimitWithMessage {
  /** 0: no limit. */
  readonly count: number;
  readonly message?: string;
}

export interface RootedDirectory {
  readonly path: string;
  /** Comma means AND, `!` not; absent: everybody. */
  readonly groups?: NameExpression;
}

/** One SFTPHostKey line: a key file, an SSH agent's socket, or a type whose keys are taken out again. */
export type SftpHostKeySource =
  | { readonly kind: 'file'; readonly path: string; readonly location?: SourceLocation }
  | { readonly kind: 'agent'; readonly socket: string; readonly location?: SourceLocation }
  | { readonly kind: 'without'; readonly type: 'RSA' | 'DSA' | 'ECDSA' | 'ED25519' };

/** `file:PATH` of SFTPAuthorizedUserKeys and SFTPAuthorizedHostKeys; `%u` and `~` still stand in `path`. */
export interface SftpKeyStore {
  readonly kind: 'file';
  readonly path: string;
}

/** What one SFTPClientMatch line says of the clients whose software version its pattern matches. */
export interface SftpClientMatch {
  readonly pattern: RegExp;
  /** Bytes. */
  readonly channelWindowSize?: number;
  /** Bytes. */
  readonly channelPacketSize?: number;
  readonly sftpProtocolVersion?: { readonly min: number; readonly max: number };
  readonly sftpCiphers?: readonly string[];
  readonly sftpDigests?: readonly string[];
  readonly sftpHostKeys?: readonly string[];
  readonly sftpKeyExchanges?: readonly string[];
  readonly pessimisticNewkeys?: boolean;
}

export type SftpOption =
  | 'AllowInsecureLogin'
  | 'AllowWeakDH'
  | 'FIDOTouchRequired'
  | 'FIDOVerifyRequired'
  | 'IgnoreFIFOs'
  | 'IgnoreSCPUploadPerms'
  | 'IgnoreSCPUploadTimes'
  | 'IgnoreSFTPSetExtendedAttributes'
  | 'IgnoreSFTPSetOwners'
  | 'IgnoreSFTPSetPerms'
  | 'IgnoreSFTPSetTimes'
  | 'IgnoreSFTPUploadExtendedAttributes'
  | 'IgnoreSFTPUploadPerms'
  | 'IncludeSFTPTimes'
  | 'InsecureHostKeyPerms'
  | 'MatchKeySubject'
  | 'NoExtensionNegotiation'
  | 'NoHostkeyRotation'
  | 'NoStrictKex'
  | 'OldProtocolCompat'
  | 'PessimisticKexinit';

/** Names of SFTPExtensions as the manual writes them. */
export type SftpExtension =
  | 'checkFile'
  | 'copyData'
  | 'copyFile'
  | 'fsync'
  | 'hardlink'
  | 'homeDirectory'
  | 'limits'
  | 'posixRename'
  | 'spaceAvailable'
  | 'statvfs'
  | 'userGroupNames'
  | 'vendorID'
  | 'versionSelect'
  | 'xattr';

/** SFTPRekey: seconds, bytes and the wait for a client that does not follow (0: none). */
export type SftpRekey =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'required';
      readonly seconds: number;
      readonly bytes: number;
      readonly timeoutSeconds: number;
    };

/** The policies of the manual, and the one CBC ciphers switch on by themselves. */
export type SftpTrafficPolicy = 'none' | 'low' | 'medium' | 'high' | 'paranoid' | 'rogaway';

/**
 * Effective values of every implemented directive. One key per directive row; the row's table holds
 * name, contexts, default and parser. Durations in seconds (0 = off), sizes in bytes.
 */
export interface Settings {
  // --- core: server ---
  readonly serverType: 'standalone' | 'inetd';
  readonly serverName: string;
  readonly serverIdent: { readonly enabled: boolean; readonly text?: string };
  readonly serverAdmin: string;
  readonly serverAlias: readonly string[];
  readonly defaultServer: boolean;
  readonly defaultAddress: readonly string[];
  readonly port: number;
  readonly socketBindTight: boolean;
  readonly useIPv6: boolean;
  readonly tcpBacklog: number;
  readonly tcpNoDelay: boolean;
  readonly socketOptions: {
    readonly maxSegment?: number;
    readonly receiveBuffer?: number;
    readonly sendBuffer?: number;
    readonly keepAlive: boolean;
    /** `keepalive idle:count:interval`, seconds; absent: the system's own. */
    readonly keepAliveProbes?: { readonly idle: number; readonly count: number; readonly interval: number };
    readonly reusePort: boolean;
  };
  readonly masqueradeAddress: string | null;
  readonly passivePorts: { readonly min: number; readonly max: number } | null;
  /** Ours: what an exhausted PassivePorts range does. */
  readonly passivePortsExhausted: 'fallback' | 'refuse';
  readonly allowForeignAddress: boolean | { readonly className: string };
  readonly rootRevoke: 'on' | 'off' | 'UseNonCompliantActiveTransfers';
  readonly user: string | null;
  readonly group: string | null;
  readonly maxInstances: number;
  readonly maxConnectionRate: { readonly count: number; readonly seconds: number } | null;
  readonly maxCommandRate: { readonly count: number; readonly seconds: number } | null;
  readonly umask: { readonly file: number; readonly directory: number };
  readonly useReverseDNS: boolean;
  readonly identLookups: boolean;
  readonly protocols: readonly string[] | null;
  readonly commandBufferSize: number;
  readonly deferWelcome: boolean;
  readonly timesGMT: boolean;
  readonly pidFile: string | null;
  readonly debugLevel: number;
  readonly setEnv: readonly { readonly name: string; readonly value: string | null }[];
  readonly allowOverride: boolean;
  // --- auth ---
  readonly authOrder: readonly { readonly module: string; readonly authoritative: boolean }[];
  readonly authUserFile: readonly PasswordFileFilter[];
  readonly authGroupFile: readonly PasswordFileFilter[];
  readonly authFileOptions: readonly string[];
  /** Ours: the embedded user store (SQLite file). */
  readonly userStore: string | null;
  readonly userAlias: readonly { readonly alias: string; readonly user: string }[];
  readonly authAliasOnly: boolean;
  readonly authUsingAlias: boolean;
  readonly userPassword: readonly { readonly name: string; readonly hash: string }[];
  readonly groupPassword: readonly { readonly name: string; readonly hash: string }[];
  readonly allowEmptyPasswords: boolean;
  readonly maxPasswordSize: number;
  readonly maxLoginAttempts: number;
  readonly requireValidShell: boolean;
  readonly useFtpUsers: boolean;
  readonly rootLogin: boolean;
  readonly anonRequirePassword: boolean;
  readonly anonRejectPasswords: Filter | null;
  readonly defaultRoot: readonly RootedDirectory[];
  readonly allowChrootSymlinks: boolean;
  readonly defaultChdir: readonly RootedDirectory[];
  readonly createHome: CreateHome;
  // --- limits and timeouts ---
  readonly maxClients: LimitWithMessage;
  readonly maxClientsPerClass: readonly (LimitWithMessage & { readonly className: string })[];
  readonly maxClientsPerHost: LimitWithMessage;
  readonly maxClientsPerUser: LimitWithMessage;
  readonly maxHostsPerUser: LimitWithMessage;
  readonly maxConnectionsPerHost: LimitWithMessage;
  readonly maxTransfersPerHost: readonly (LimitWithMessage & { readonly commands: readonly string[] })[];
  readonly maxTransfersPerUser: readonly (LimitWithMessage & { readonly commands: readonly string[] })[];
  readonly maxStoreFileSize: readonly Conditional<number>[];
  readonly maxRetrieveFileSize: readonly Conditional<number>[];
  readonly transferRate: readonly Conditional<TransferRateLimit>[];
  readonly timeoutIdle: number;
  readonly timeoutLogin: number;
  readonly timeoutNoTransfer: number;
  readonly timeoutStalled: number;
  readonly timeoutSession: readonly Conditional<number>[];
  readonly timeoutLinger: number;
  // --- transfers and files ---
  readonly allowOverwrite: boolean;
  readonly allowStoreRestart: boolean;
  readonly allowRetrieveRestart: boolean;
  readonly hiddenStores: { readonly prefix: string; readonly suffix: string } | null;
  readonly deleteAbortedStores: boolean;
  readonly defaultTransferMode: 'ascii' | 'binary';
  readonly storeUniquePrefix: string;
  readonly transferOptions: readonly string[];
  readonly allowFilter: Filter | null;
  readonly denyFilter: Filter | null;
  readonly pathAllowFilter: Filter | null;
  readonly pathDenyFilter: Filter | null;
  readonly hideFiles: readonly Conditional<Filter | null>[];
  readonly hideUser: readonly string[];
  readonly hideGroup: readonly string[];
  readonly hideNoAccess: boolean;
  readonly userOwner: string | null;
  readonly groupOwner: string | null;
  readonly showSymlinks: boolean;
  // --- ls and facts ---
  readonly listOptions: ListOptions;
  readonly listStyle: 'Unix' | 'Windows';
  readonly useGlobbing: boolean;
  readonly dirFakeUser: string | null;
  readonly dirFakeGroup: string | null;
  readonly dirFakeMode: number | null;
  readonly factsAdvertise: boolean;
  readonly factsOptions: readonly string[];
  readonly factsDefault: readonly string[] | null;
  // --- messages ---
  readonly accessGrantMsg: string | null;
  readonly accessDenyMsg: string | null;
  readonly displayConnect: string | null;
  readonly displayLogin: string | null;
  readonly displayChdir: { readonly path: string; readonly onlyChanged: boolean } | null;
  readonly displayFileTransfer: string | null;
  readonly displayQuit: string | null;
  readonly displayReadme: readonly string[];
  // --- logs ---
  /** A path, or `none`; null where the directive is not given: syslog. */
  readonly systemLog: string | null;
  readonly serverLog: string | null;
  readonly syslogFacility: string;
  readonly syslogLevel: string;
  readonly allowLogSymlinks: boolean;
  readonly logOptions: {
    readonly hostname: boolean;
    readonly virtualHost: boolean;
    readonly timestamp: boolean;
  };
  readonly transferLog: string | null;
  readonly extendedLog: readonly ExtendedLogTarget[];
  readonly traceLog: string | null;
  /** Ours: JSON lines of everything the server logs, for programs. */
  readonly structuredLog: string | null;
  readonly trace: ReadonlyMap<string, { readonly min: number; readonly max: number }>;
  // --- rlimit ---
  readonly rLimitOpenFiles: { readonly soft: number; readonly hard: number } | null;
  // --- lang ---
  readonly useEncoding: boolean;
  // --- TLS (mod_tls) ---
  readonly tlsEngine: boolean;
  readonly tlsLog: string | null;
  readonly tlsProtocol: readonly TlsVersion[];
  readonly tlsCipherSuite: string;
  readonly tlsCipherSuite13: string | null;
  readonly tlsServerCipherPreference: boolean;
  readonly tlsRSACertificateFile: string | null;
  readonly tlsRSACertificateKeyFile: string | null;
  readonly tlsECCertificateFile: string | null;
  readonly tlsECCertificateKeyFile: string | null;
  readonly tlsDSACertificateFile: string | null;
  readonly tlsDSACertificateKeyFile: string | null;
  readonly tlsPKCS12File: string | null;
  readonly tlsCertificateChainFile: string | null;
  readonly tlsCACertificateFile: string | null;
  readonly tlsCACertificatePath: string | null;
  readonly tlsCARevocationFile: string | null;
  readonly tlsCARevocationPath: string | null;
  readonly tlsVerifyClient: 'on' | 'off' | 'optional';
  readonly tlsVerifyDepth: number;
  readonly tlsVerifyServer: 'on' | 'off' | 'NoReverseDNS';
  readonly tlsDHParamFile: readonly string[];
  readonly tlsECDHCurve: string | null;
  readonly tlsOptions: readonly TlsOption[];
  readonly tlsRequired: TlsRequired;
  readonly tlsRenegotiate: TlsRenegotiate | null;
  readonly tlsSessionCache:
    | { readonly kind: 'default' }
    | { readonly kind: 'off' }
    | { readonly kind: 'internal'; readonly lifetimeSeconds: number };
  readonly tlsSessionTickets: boolean;
  readonly tlsTimeoutHandshake: number;
  readonly tlsUserName: string | null;
  readonly tlsNextProtocol: boolean;
  readonly tlsMasqueradeAddress: string | null;
  readonly tlsPassPhraseProvider: string | null;
  /** Revocation methods for client certificates, in the order they are asked. */
  readonly tlsVerifyOrder: readonly TlsRevocationMethod[];
  readonly tlsStapling: boolean;
  readonly tlsStaplingCache: TlsStaplingCache;
  readonly tlsStaplingOptions: readonly TlsStaplingOption[];
  /** `http:` URL asked instead of the certificate's own. */
  readonly tlsStaplingResponder: string | null;
  /** Seconds. */
  readonly tlsStaplingTimeout: number;
  readonly tlsPreSharedKey: readonly TlsPreSharedKeyFile[];
  readonly tlsSessionTicketKeys: TlsTicketKeyRotation;
  // --- SFTP and SCP (mod_sftp) ---
  readonly sftpEngine: boolean;
  readonly sftpLog: string | null;
  readonly sftpHostKey: readonly SftpHostKeySource[];
  /** Host key algorithms in order; null: the profile's. */
  readonly sftpHostKeys: readonly string[] | null;
  readonly sftpKeyExchanges: readonly string[] | null;
  readonly sftpCiphers: readonly string[] | null;
  readonly sftpDigests: readonly string[] | null;
  readonly sftpCompression: 'off' | 'on' | 'delayed';
  /** Chains of methods, each to be passed in order; null: by what is configured. */
  readonly sftpAuthMethods: readonly (readonly string[])[] | null;
  readonly sftpAuthPublicKeys: readonly string[] | null;
  readonly sftpAuthorizedUserKeys: readonly SftpKeyStore[];
  readonly sftpAuthorizedHostKeys: readonly SftpKeyStore[];
  /** Ours: public keys of the authorities whose user certificates log in. */
  readonly sftpTrustedUserCAKeys: string | null;
  readonly sftpKeyBlacklist: string | null;
  readonly sftpKeyFingerprints: {
    readonly hash: 'sha256' | 'sha1' | 'md5';
    readonly encoding: 'base64' | 'hex' | 'hex+colons';
  };
  /** Bits; 0 is no floor. */
  readonly sftpKeyLimits: {
    readonly minimumRsaBits: number;
    readonly minimumDsaBits: number;
    readonly minimumEcBits: number;
  };
  readonly sftpAcceptEnv: readonly string[];
  /** `count` probes, `interval` seconds apart; null: none. */
  readonly sftpClientAlive: { readonly count: number; readonly interval: number } | null;
  readonly sftpClientMatch: readonly SftpClientMatch[];
  readonly sftpDHParamFile: string | null;
  readonly sftpDisplayBanner: string | null;
  readonly sftpExtensions: readonly { readonly name: SftpExtension; readonly enabled: boolean }[];
  readonly sftpMaxChannels: number;
  readonly sftpOptions: readonly SftpOption[];
  readonly sftpPassPhraseProvider: string | null;
  readonly sftpRekey: SftpRekey;
  /** Null where the directive is not given: none, but rogaway for CBC. */
  readonly sftpTrafficPolicy: SftpTrafficPolicy | null;
  // --- ours: the actors ---
  readonly workers: number;
  readonly transferBufferSize: number;
  readonly useSendfile: boolean;
}
