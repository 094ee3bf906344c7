/** A start without -c: everything a safe server on this machine needs, made once and reused. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashPassword } from '../../crypto/password-hash.ts';
import { openUserStore } from '../auth/user-store.ts';
import { Secret } from '../log/secret.ts';
import { PRIVATE_DIRECTORY_MODE } from '../main/modes.ts';
import {
  DEFAULT_PORT,
  firstConfiguration,
  IMPLICIT_PORT_OFFSET,
  SFTP_PORT_OFFSET,
  type FirstConfiguration,
} from './first-configuration.ts';
import { provideHostKeys } from './first-host-keys.ts';
import { replaceFile } from './replace-file.ts';
import { createSelfSigned, type CertificateKind } from './self-signed.ts';
import { STATE_FILES } from './state-folder.ts';

const FIRST_USER = 'lockgate';
const FIRST_FILE = 'welcome.txt';
/** The account that owns nothing, for a server started as root. */
const NOBODY = 65_534;
/** Renewed so early that a running server outlives its certificate's last days. */
const RENEW_BEFORE_MS = 14 * 86_400_000;
const PASSWORD_BYTES = 15;

export interface ZeroConfiguration {
  readonly configFile: string;
  readonly folder: string;
  /** What was made anew, for standard output. */
  readonly notices: readonly string[];
  readonly user: string;
  /** Known on the first start only. */
  readonly password: Secret | null;
  readonly port: number;
  /** Null where the configuration in the folder does not serve SFTP. */
  readonly sftpPort: number | null;
}

/** The state folder cannot be used; the message is for the operator. */
export class StateFolderError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StateFolderError';
  }
}

/** Makes what is missing in `folder`. `port` is the one asked for with --port, or null. Throws StateFolderError. */
export async function prepareZeroConfiguration(
  folder: string,
  port: number | null,
): Promise<ZeroConfiguration> {
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    requireOwnFolder(folder);
    const notices: string[] = [];
    for (const kind of ['ec', 'rsa'] as const) notices.push(...(await provideCertificate(folder, kind)));
    writeTrust(folder);
    const loginAsRoot = process.getuid?.() === 0 && !othersReach(folder);
    const chosenPort = provideConfiguration(folder, port, loginAsRoot);
    await provideHostKeys(folder, chosenPort);
    const password = await provideUser(folder, loginAsRoot);
    const servesSftp = /^\s*SFTPEngine\s+on\s*$/im.test(
      readFileSync(join(folder, STATE_FILES.config), 'utf8'),
    );
    return {
      configFile: join(folder, STATE_FILES.config),
      folder,
      notices,
      user: FIRST_USER,
      password,
      port: chosenPort,
      sftpPort: servesSftp ? chosenPort + SFTP_PORT_OFFSET : null,
    };
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (error instanceof StateFolderError || code === undefined) throw error;
    throw new StateFolderError(`the state folder '${folder}' cannot be used: ${path ?? folder}: ${code}`, {
      cause: error,
    });
  }
}

/** The lines a person copies to transfer the first file; they work as printed. */
export function firstSteps(state: ZeroConfiguration): string {
  const trust = shellQuote(join(state.folder, STATE_FILES.trust));
  const password = state.password?.reveal() ?? null;
  const login = password === null ? state.user : `${state.user}:${password}`;
  const lftpLogin = password === null ? state.user : `${state.user},${password}`;
  const implicit = state.port + IMPLICIT_PORT_OFFSET;
  const settings = `set ssl:ca-file ${join(state.folder, STATE_FILES.trust)}; set ftp:ssl-force true; set ftp:ssl-protect-data true`;
  const account =
    password === null
      ? `  user      ${state.user} (new password: lockgate user passwd ${state.user} --state ${shellQuote(state.folder)})`
      : `  user      ${state.user}\n  password  ${password}   (shown this once)`;
  const sftp = state.sftpPort === null ? '' : `, SFTP on port ${state.sftpPort}`;
  return `Lockgate serves this machine: FTP with AUTH TLS on port ${state.port}, implicit FTPS on port ${implicit}${sftp}.

${account}
  folder    ${join(state.folder, STATE_FILES.home, state.user)}
  settings  ${state.configFile}

Fetch the first file:

  curl --ssl-reqd --cacert ${trust} -u ${login} ftp://localhost:${state.port}/${FIRST_FILE}
  curl --cacert ${trust} -u ${login} ftps://localhost:${implicit}/${FIRST_FILE}
  lftp -u ${lftpLogin} -p ${state.port} -e ${shellQuote(`${settings}; cat ${FIRST_FILE}; bye`)} ftp://localhost
${sshLines(state)}
`;
}

/** OpenSSH's clients ask for the password; known_hosts lets them verify the server. */
function sshLines(state: ZeroConfiguration): string {
  if (state.sftpPort === null) return '';
  const knownHosts = shellQuote(`UserKnownHostsFile=${join(state.folder, STATE_FILES.knownHosts)}`);
  const login = `${state.user}@localhost:${FIRST_FILE}`;
  return `  sftp -P ${state.sftpPort} -o ${knownHosts} ${login}
  scp -P ${state.sftpPort} -o ${knownHosts} ${login} .
`;
}

function requireOwnFolder(folder: string): void {
  const stats = statSync(folder);
  const uid = process.getuid?.() ?? stats.uid;
  if (stats.uid !== uid)
    throw new StateFolderError(`the state folder '${folder}' belongs to uid ${stats.uid}, not to uid ${uid}`);
  if ((stats.mode & 0o022) !== 0) {
    throw new StateFolderError(
      `the state folder '${folder}' can be written by others; run: chmod go-w ${shellQuote(folder)}`,
    );
  }
}

/** Returns a notice when an expired certificate was replaced. */
async function provideCertificate(folder: string, kind: CertificateKind): Promise<string[]> {
  const certificateFile = join(
    folder,
    kind === 'ec' ? STATE_FILES.ecCertificate : STATE_FILES.rsaCertificate,
  );
  const keyFile = join(folder, kind === 'ec' ? STATE_FILES.ecKey : STATE_FILES.rsaKey);
  const exists = existsSync(certificateFile) && existsSync(keyFile);
  if (exists) {
    const { validToDate } = new X509Certificate(readFileSync(certificateFile));
    if (validToDate.getTime() - Date.now() > RENEW_BEFORE_MS) return [];
  }
  const { certificatePem, keyPem } = await createSelfSigned(kind, new Date());
  replaceFile(keyFile, keyPem);
  replaceFile(certificateFile, certificatePem);
  if (!exists) return [];
  return [
    `The self-signed ${kind.toUpperCase()} certificate had run out and was replaced; clients must trust the new one.`,
  ];
}

/** Both certificates in one file: whichever the server presents, the client knows it. */
function writeTrust(folder: string): void {
  const text = [STATE_FILES.ecCertificate, STATE_FILES.rsaCertificate]
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');
  const path = join(folder, STATE_FILES.trust);
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) replaceFile(path, text);
}

/** Writes the configuration once; returns the port it has. */
function provideConfiguration(folder: string, wanted: number | null, loginAsRoot: boolean): number {
  const path = join(folder, STATE_FILES.config);
  const write = (configuration: FirstConfiguration): number => {
    replaceFile(path, firstConfiguration(configuration));
    return configuration.port;
  };
  if (!existsSync(path)) return write({ folder, port: wanted ?? DEFAULT_PORT, loginAsRoot });
  const text = readFileSync(path, 'utf8');
  const port = Number(/^Port (\d+)$/m.exec(text)?.[1] ?? DEFAULT_PORT);
  if (wanted === null || wanted === port) return port;
  if (text === firstConfiguration({ folder, port, loginAsRoot }))
    return write({ folder, port: wanted, loginAsRoot });
  throw new StateFolderError(`'${path}' has been edited: change Port there instead of using --port`);
}

/** Creates the first user in an empty store; null when there are users already. */
async function provideUser(folder: string, loginAsRoot: boolean): Promise<Secret | null> {
  const store = openUserStore(join(folder, STATE_FILES.users));
  try {
    if (store.list().length > 0) return null;
    const home = join(folder, STATE_FILES.home, FIRST_USER);
    const ownUid = process.getuid?.() ?? 0;
    const servesAsNobody = ownUid === 0 && !loginAsRoot;
    const uid = servesAsNobody ? NOBODY : ownUid;
    const gid = servesAsNobody ? NOBODY : (process.getgid?.() ?? 0);
    provideHome(folder, home, servesAsNobody);
    const password = new Secret(randomBytes(PASSWORD_BYTES).toString('hex'));
    const hash = new Secret(await hashPassword(password.reveal()));
    store.add({ name: FIRST_USER, hash, uid, gid, groups: [], home, shell: '/usr/sbin/nologin' });
    return password;
  } finally {
    store.close();
  }
}

function provideHome(folder: string, home: string, servesAsNobody: boolean): void {
  mkdirSync(home, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  const welcome = join(home, FIRST_FILE);
  if (!existsSync(welcome))
    writeFileSync(welcome, 'Welcome to Lockgate. This file came encrypted.\n', { mode: 0o644 });
  if (!servesAsNobody) return;
  // The user's own uid has to get through to its home; keys and store stay readable by root only.
  for (const directory of [folder, dirname(home)]) chmodSync(directory, 0o711);
  for (const path of [home, welcome]) chownSync(path, NOBODY, NOBODY);
}

/** Whether every directory above the state folder lets other users through. */
function othersReach(folder: string): boolean {
  for (let directory = dirname(folder); ; directory = dirname(directory)) {
    if ((statSync(directory).mode & 0o001) === 0) return false;
    if (directory === '/') return true;
  }
}

function shellQuote(text: string): string {
  return /^[A-Za-z0-9_./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
