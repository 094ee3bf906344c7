/**
 * The certificate trees of the FTPS scenarios, made once per test process with the openssl program:
 * MyRootCA -> MyServerCA -> certA certB certC (servers), TheirRootCA -> TheirClientCA -> cert1 cert2 cert3 (clients).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of a certificate, its key, and both in one file. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly combined: string;
}

export interface CertificateTrees {
  readonly directory: string;
  readonly myRootCa: CertificateFiles;
  readonly myServerCa: CertificateFiles;
  readonly theirRootCa: CertificateFiles;
  readonly theirClientCa: CertificateFiles;
  /** CN=certA, SAN DNS:localhost and IP:127.0.0.1, RSA-2048 and EC P-256. */
  readonly certA: CertificateFiles;
  readonly certAEc: CertificateFiles;
  readonly certB: CertificateFiles;
  readonly certC: CertificateFiles;
  /** CN=alice, SAN IP:127.0.0.1. */
  readonly alice: CertificateFiles;
  /** CN=bob, SAN email:bob@example.org. */
  readonly bob: CertificateFiles;
  /** Revoked in `revocationList`. */
  readonly revoked: CertificateFiles;
  readonly expired: CertificateFiles;
  readonly selfSigned: CertificateFiles;
  /** A client certificate of MyServerCA, which no server trusts for clients. */
  readonly foreignClient: CertificateFiles;
  /** MyServerCA + MyRootCA, and the same the other way round. */
  readonly chainFile: string;
  readonly reversedChainFile: string;
  /** TheirClientCA + TheirRootCA: TLSCACertificateFile. */
  readonly clientAuthorities: string;
  /** CRL of TheirClientCA that names `revoked`. */
  readonly revocationList: string;
  readonly expiredRevocationList: string;
  /** certA's RSA key, encrypted. */
  readonly encryptedKey: string;
  /** PKCS#12 of certA without and with the pass phrase. */
  readonly bundle: string;
  readonly encryptedBundle: string;
  readonly passPhrase: string;
}

let cached: CertificateTrees | null = null;

/** The trees; a few seconds the first time in a process. Removed when the process ends. */
export function certificateTrees(): CertificateTrees {
  cached ??= build();
  return cached;
}

/** A client certificate with this many authorities between it and its root; the leaf's file holds its chain. */
export function clientChain(
  name: string,
  intermediates: number,
): { readonly root: string; readonly leaf: Pick<CertificateFiles, 'certificate' | 'key'> } {
  const maker = new CertificateMaker(certificateTrees().directory);
  const root = maker.root(`${name}-root`);
  const authorities: CertificateFiles[] = [];
  for (let index = 1; index <= intermediates; index += 1) {
    authorities.unshift(maker.authority(`${name}-${index}`, authorities[0] ?? root));
  }
  const leaf = maker.client(`${name}-leaf`, 'alice', authorities[0] ?? root, null);
  const chain = [leaf, ...authorities].map((part) => readFileSync(part.certificate, 'utf8')).join('');
  return {
    root: root.certificate,
    leaf: { certificate: maker.write(`${name}-chain.pem`, chain), key: leaf.key },
  };
}

/** What `issueCertificate` makes. */
export interface IssueRequest {
  readonly name: string;
  readonly commonName: string;
  readonly issuer: CertificateFiles;
  readonly usage: 'serverAuth' | 'clientAuth' | 'OCSPSigning';
  readonly alternatives?: string;
  readonly key?: 'rsa' | 'ec';
  /** Responder the certificate names; absent: none. */
  readonly responder?: string;
  /** Further lines of an OpenSSL extension section. */
  readonly extensions?: string;
  /** Instead of `CA:FALSE` and `digitalSignature`: an authority. */
  readonly basicConstraints?: string;
  readonly keyUsage?: string;
}

let lateMaker: CertificateMaker | null = null;

/** A certificate made while tests run, with a serial number no other has. */
export function issueCertificate(request: IssueRequest): CertificateFiles {
  lateMaker ??= new CertificateMaker(certificateTrees().directory, 5000);
  return lateMaker.issue(request);
}

const PASS_PHRASE = 'correct horse';

function build(): CertificateTrees {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-certificates-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const maker = new CertificateMaker(directory);
  const myRootCa = maker.root('MyRootCA');
  const myServerCa = maker.authority('MyServerCA', myRootCa);
  const theirRootCa = maker.root('TheirRootCA');
  const theirClientCa = maker.authority('TheirClientCA', theirRootCa);
  const local = 'DNS:localhost,IP:127.0.0.1';
  const certA = maker.server('certA', 'certA', myServerCa, 'rsa', local);
  const revoked = maker.client('revoked', 'carol', theirClientCa, null);
  const join2 = (name: string, ...parts: CertificateFiles[]): string =>
    maker.write(name, parts.map((part) => readFileSync(part.certificate, 'utf8')).join(''));
  return {
    directory,
    myRootCa,
    myServerCa,
    theirRootCa,
    theirClientCa,
    certA,
    certAEc: maker.server('certA-ec', 'certA', myServerCa, 'ec', local),
    certB: maker.server('certB', 'certB', myServerCa, 'ec', 'DNS:b.example.org'),
    certC: maker.server('certC', 'certC', myServerCa, 'ec', 'DNS:c.example.org'),
    alice: maker.client('alice', 'alice', theirClientCa, 'IP:127.0.0.1'),
    bob: maker.client('bob', 'bob', theirClientCa, 'email:bob@example.org'),
    revoked,
    expired: maker.expiredClient('expired', 'dave', theirClientCa),
    selfSigned: maker.root('selfsigned', 'clientAuth'),
    foreignClient: maker.client('foreign', 'mallory', myServerCa, null),
    chainFile: join2('chain.pem', myServerCa, myRootCa),
    reversedChainFile: join2('chain-reversed.pem', myRootCa, myServerCa),
    clientAuthorities: join2('client-authorities.pem', theirClientCa, theirRootCa),
    revocationList: maker.revocationList('crl', theirClientCa, revoked, null),
    expiredRevocationList: maker.revocationList('crl-expired', theirClientCa, revoked, '20200102000000Z'),
    encryptedKey: maker.encryptKey(certA, 'encrypted.key', PASS_PHRASE),
    bundle: maker.bundle(certA, 'bundle.p12', ''),
    encryptedBundle: maker.bundle(certA, 'bundle-encrypted.p12', PASS_PHRASE),
    passPhrase: PASS_PHRASE,
  };
}

/** The openssl program, one call per certificate. */
class CertificateMaker {
  readonly #directory: string;
  #serial: number;

  constructor(directory: string, firstSerial = 1000) {
    this.#directory = directory;
    this.#serial = firstSerial;
  }

  issue(request: IssueRequest): CertificateFiles {
    const { name, commonName, issuer, usage, responder } = request;
    const access = responder === undefined ? '' : `authorityInfoAccess=OCSP;URI:${responder}\n`;
    const own = leafExtensions(usage, request.alternatives ?? null)
      .replace('CA:FALSE', request.basicConstraints ?? 'CA:FALSE')
      .replace('keyUsage=digitalSignature', `keyUsage=${request.keyUsage ?? 'digitalSignature'}`);
    const extensions = `${own}${access}${request.extensions ?? ''}`;
    return this.#issue(name, commonName, issuer, request.key ?? 'ec', extensions, ['-days', '30']);
  }

  root(name: string, usage: string | null = null): CertificateFiles {
    const files = this.#files(name);
    this.#newKey(files.key, 'ec');
    const extensions = usage === null ? [] : ['-addext', `extendedKeyUsage=${usage}`];
    this.#openssl(
      'req',
      '-x509',
      '-key',
      files.key,
      '-days',
      '30',
      '-subj',
      `/O=Tests/CN=${name}`,
      '-out',
      files.certificate,
      ...extensions,
    );
    return this.#combine(files);
  }

  authority(name: string, issuer: CertificateFiles): CertificateFiles {
    const extensions = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n';
    return this.#issue(name, name, issuer, 'ec', extensions, ['-days', '30']);
  }

  server(
    name: string,
    commonName: string,
    issuer: CertificateFiles,
    key: 'rsa' | 'ec',
    alternatives: string,
  ): CertificateFiles {
    return this.#issue(name, commonName, issuer, key, leafExtensions('serverAuth', alternatives), [
      '-days',
      '30',
    ]);
  }

  client(
    name: string,
    commonName: string,
    issuer: CertificateFiles,
    alternatives: string | null,
  ): CertificateFiles {
    return this.#issue(name, commonName, issuer, 'ec', leafExtensions('clientAuth', alternatives), [
      '-days',
      '30',
    ]);
  }

  /** `openssl x509 -req` of OpenSSL 3.0 cannot set dates, `openssl ca` can. */
  expiredClient(name: string, commonName: string, issuer: CertificateFiles): CertificateFiles {
    const files = this.#files(name);
    const request = this.#request(name, commonName, files.key, 'ec');
    const config = this.#caConfig(name, leafExtensions('clientAuth', null));
    const dates = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];
    this.#openssl(
      'ca',
      '-batch',
      '-notext',
      '-config',
      config,
      '-in',
      request,
      '-out',
      files.certificate,
      '-cert',
      issuer.certificate,
      '-keyfile',
      issuer.key,
      ...dates,
    );
    return this.#combine(files);
  }

  revocationList(
    name: string,
    issuer: CertificateFiles,
    revoked: CertificateFiles,
    expiredAt: string | null,
  ): string {
    const config = this.#caConfig(name, '');
    const ca = ['ca', '-config', config, '-cert', issuer.certificate, '-keyfile', issuer.key];
    this.#openssl(...ca, '-revoke', revoked.certificate);
    const out = join(this.#directory, `${name}.pem`);
    const dates =
      expiredAt === null
        ? ['-crldays', '30']
        : ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', expiredAt];
    this.#openssl(...ca, '-gencrl', '-out', out, ...dates);
    return out;
  }

  encryptKey(files: CertificateFiles, name: string, passPhrase: string): string {
    const out = join(this.#directory, name);
    this.#openssl('pkcs8', '-topk8', '-in', files.key, '-out', out, '-passout', `pass:${passPhrase}`);
    return out;
  }

  bundle(files: CertificateFiles, name: string, passPhrase: string): string {
    const out = join(this.#directory, name);
    this.#openssl(
      'pkcs12',
      '-export',
      '-in',
      files.certificate,
      '-inkey',
      files.key,
      '-out',
      out,
      '-passout',
      `pass:${passPhrase}`,
    );
    return out;
  }

  write(name: string, text: string): string {
    const path = join(this.#directory, name);
    writeFileSync(path, text);
    return path;
  }

  #issue(
    name: string,
    commonName: string,
    issuer: CertificateFiles,
    key: 'rsa' | 'ec',
    extensions: string,
    validity: readonly string[],
  ): CertificateFiles {
    const files = this.#files(name);
    const request = this.#request(name, commonName, files.key, key);
    const extensionFile = this.write(`${name}.ext`, extensions);
    this.#serial += 1;
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      issuer.certificate,
      '-CAkey',
      issuer.key,
      '-set_serial',
      String(this.#serial),
      '-extfile',
      extensionFile,
      '-out',
      files.certificate,
      ...validity,
    );
    return this.#combine(files);
  }

  #request(name: string, commonName: string, key: string, kind: 'rsa' | 'ec'): string {
    this.#newKey(key, kind);
    const request = join(this.#directory, `${name}.csr`);
    this.#openssl('req', '-new', '-key', key, '-subj', `/O=Tests/CN=${commonName}`, '-out', request);
    return request;
  }

  #newKey(path: string, kind: 'rsa' | 'ec'): void {
    const options =
      kind === 'rsa'
        ? ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
        : ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    this.#openssl('genpkey', ...options, '-out', path);
  }

  #caConfig(name: string, extensions: string): string {
    const home = join(this.#directory, `${name}.ca`);
    mkdirSync(home);
    writeFileSync(join(home, 'index.txt'), '');
    writeFileSync(join(home, 'serial'), '2000\n');
    const lines = [
      '[ca]\ndefault_ca=this\n[this]',
      `database=${home}/index.txt\nserial=${home}/serial\nnew_certs_dir=${home}`,
      'default_md=sha256\npolicy=any\nx509_extensions=leaf\nunique_subject=no',
      '[any]\norganizationName=optional\ncommonName=supplied',
      `[leaf]\n${extensions}`,
    ];
    return this.write(`${name}.cnf`, `${lines.join('\n')}\n`);
  }

  #files(name: string): CertificateFiles {
    const path = (suffix: string): string => join(this.#directory, `${name}${suffix}`);
    return { certificate: path('.pem'), key: path('.key'), combined: path('.both.pem') };
  }

  #combine(files: CertificateFiles): CertificateFiles {
    writeFileSync(files.combined, readFileSync(files.certificate, 'utf8') + readFileSync(files.key, 'utf8'));
    return files;
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, {
      cwd: this.#directory,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 60_000,
    });
  }
}

function leafExtensions(usage: string, alternatives: string | null): string {
  const names = alternatives === null ? '' : `subjectAltName=${alternatives}\n`;
  return `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=${usage}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n${names}`;
}
