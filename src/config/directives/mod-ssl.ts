/** Apache httpd's mod_ssl, on which an FTP host of mod_ftp relies (mod_ftp reference, sections 2 and 6). */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config-error.ts';
import type { DirectiveRow, ParseInput } from '../directive-row.ts';
import type { PartialSettings, TlsOption, TlsVersion } from '../server-config.ts';
import { absolutePath, integer, onOff, oneWord, readAbsolutePath, readChoice, someWords } from '../values.ts';
import { readVersion, requireUsable, tlsCipherSuite, tlsProtocol } from '../values-tls.ts';
import { absentEngine, isOff, noEffect, refused, S, several, SVG } from './contexts.ts';

const family = { module: 'mod_ssl', contexts: SVG };

function same(
  name: string,
  parameters: string,
  counterpart: string,
  parse: (input: ParseInput) => PartialSettings,
): DirectiveRow {
  return several({
    ...family,
    name,
    syntax: `${name} ${parameters}`,
    defaultText: 'none',
    parse,
    summary: `The same as \`${counterpart}\`.`,
  });
}

/** Words as httpd reads them: a name without a sign starts a new list. */
function sslProtocol(input: ParseInput): PartialSettings {
  const chosen = new Set<TlsVersion>();
  for (const word of someWords(input)) {
    const sign = /^[+-]/.exec(word)?.[0] ?? '';
    const name = word.slice(sign.length);
    const isAll = name.toLowerCase() === 'all';
    // What is taken out need not be allowed.
    const isSingle = !isAll && (sign === '-' || name.toLowerCase() === 'sslv3');
    const versions = isSingle
      ? [readVersion(name)]
      : tlsProtocol({ ...input, args: isAll ? ['ALL'] : [name] });
    if (sign === '') chosen.clear();
    for (const version of versions) {
      if (sign === '-') chosen.delete(version);
      else chosen.add(version);
    }
  }
  return { tlsProtocol: requireUsable(chosen) };
}

type KeyKind = 'RSA' | 'EC';

/** httpd takes any kind of key under one name; the kind is read from the file, RSA where that is not possible. */
function kindOf(path: string, read: (pem: Buffer) => string | undefined): KeyKind {
  try {
    return read(readFileSync(path)) === 'ec' ? 'EC' : 'RSA';
  } catch (error) {
    // Absent, unreadable or encrypted: whoever loads the file says so, with its path.
    if (error instanceof Error) return 'RSA';
    throw error;
  }
}

function certificateFile(input: ParseInput): PartialSettings {
  const path = absolutePath(input);
  const kind = kindOf(path, (pem) => new X509Certificate(pem).publicKey.asymmetricKeyType);
  return kind === 'EC' ? { tlsECCertificateFile: path } : { tlsRSACertificateFile: path };
}

function keyFile(input: ParseInput): PartialSettings {
  const path = absolutePath(input);
  const kind = kindOf(path, (pem) => createPrivateKey(pem).asymmetricKeyType);
  return kind === 'EC' ? { tlsECCertificateKeyFile: path } : { tlsRSACertificateKeyFile: path };
}

function cipherSuite(input: ParseInput): PartialSettings {
  const args = input.args[0]?.toLowerCase() === 'ssl' ? input.args.slice(1) : input.args;
  return tlsCipherSuite({ ...input, args });
}

function verifyClient(input: ParseInput): PartialSettings {
  const word = readChoice(oneWord(input), ['none', 'optional', 'require'] as const, 'unsupported parameter');
  return { tlsVerifyClient: word === 'none' ? 'off' : word === 'require' ? 'on' : 'optional' };
}

const OPTIONS: Readonly<Record<string, TlsOption>> = {
  stdenvvars: 'StdEnvVars',
  exportcertdata: 'ExportCertData',
};

function sslOptions(input: ParseInput): PartialSettings {
  const options = someWords(input).map((word) => {
    const option = OPTIONS[word.replace(/^\+/, '').toLowerCase()];
    if (option === undefined) throw new ConfigError(`unsupported option '${word}'; use TLSOptions`);
    return option;
  });
  return { tlsOptions: options };
}

/** `exec:/path` and `|/path` call the program with the words ProFTPD's provider gets; `builtin` asks at start. */
function passPhraseDialog(input: ParseInput): PartialSettings {
  const word = oneWord(input);
  if (word.toLowerCase() === 'builtin') return {};
  return { tlsPassPhraseProvider: readAbsolutePath(word.replace(/^(?:exec:|\|)/, '')) };
}

export const MOD_SSL: readonly DirectiveRow[] = [
  same('SSLEngine', 'on|off', 'TLSEngine', (input) => ({ tlsEngine: onOff(input) })),
  same('SSLProtocol', '[+|-]version ...', 'TLSProtocol', sslProtocol),
  same('SSLCipherSuite', '[SSL|TLSv1.3] list', 'TLSCipherSuite', cipherSuite),
  same('SSLHonorCipherOrder', 'on|off', 'TLSServerCipherPreference', (input) => ({
    tlsServerCipherPreference: onOff(input),
  })),
  same('SSLCertificateFile', 'path', 'TLSRSACertificateFile` or `TLSECCertificateFile', certificateFile),
  same('SSLCertificateKeyFile', 'path', 'TLSRSACertificateKeyFile` or `TLSECCertificateKeyFile', keyFile),
  same('SSLCertificateChainFile', 'path', 'TLSCertificateChainFile', (input) => ({
    tlsCertificateChainFile: absolutePath(input),
  })),
  same('SSLCACertificateFile', 'path', 'TLSCACertificateFile', (input) => ({
    tlsCACertificateFile: absolutePath(input),
  })),
  same('SSLCACertificatePath', 'directory', 'TLSCACertificatePath', (input) => ({
    tlsCACertificatePath: absolutePath(input),
  })),
  same('SSLCARevocationFile', 'path', 'TLSCARevocationFile', (input) => ({
    tlsCARevocationFile: absolutePath(input),
  })),
  same('SSLCARevocationPath', 'directory', 'TLSCARevocationPath', (input) => ({
    tlsCARevocationPath: absolutePath(input),
  })),
  same('SSLVerifyClient', 'none|optional|require', 'TLSVerifyClient', verifyClient),
  same('SSLVerifyDepth', 'number', 'TLSVerifyDepth', (input) => ({ tlsVerifyDepth: integer(0, 100)(input) })),
  same('SSLSessionCacheTimeout', 'seconds', 'TLSSessionCache internal:', (input) => ({
    tlsSessionCache: { kind: 'internal', lifetimeSeconds: integer(1, 2_147_483)(input) },
  })),
  same('SSLOptions', '+StdEnvVars|+ExportCertData ...', 'TLSOptions', sslOptions),
  same('SSLPassPhraseDialog', 'builtin|exec:path', 'TLSPassPhraseProvider', passPhraseDialog),
  noEffect({
    ...family,
    name: 'SSLSessionCache',
    contexts: S,
    syntax: 'SSLSessionCache type',
    defaultText: 'none',
    because: 'sessions are kept in memory; SSLSessionCacheTimeout or TLSSessionCache say how long',
  }),
  noEffect({
    ...family,
    name: 'SSLRandomSeed',
    contexts: S,
    syntax: 'SSLRandomSeed context source [bytes]',
    defaultText: 'none',
    because: "the operating system's random numbers are used",
  }),
  noEffect({
    ...family,
    name: 'SSLCryptoDevice',
    contexts: S,
    syntax: 'SSLCryptoDevice engine',
    defaultText: 'builtin',
    because: 'OpenSSL 3 has no engines',
  }),
  absentEngine(
    family,
    'SSLUseStapling',
    'off',
    'OCSP stapling is not part of this release yet; remove the line',
  ),
  noEffect({
    ...family,
    name: 'SSLStaplingCache',
    contexts: S,
    syntax: 'SSLStaplingCache type',
    defaultText: 'none',
    because: 'only used by SSLUseStapling, which is off or refused',
  }),
  refused({
    ...family,
    name: 'SSLFIPS',
    contexts: S,
    syntax: 'SSLFIPS on|off',
    defaultText: 'off',
    acceptsWhen: (input) => (isOff(input) ? 'FIPS mode is off' : null),
    because: 'FIPS mode is asked for on the command line: -D TLS_USE_FIPS',
  }),
];
