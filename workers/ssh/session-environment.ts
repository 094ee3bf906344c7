/** What logs can print of an SSH session: `%{env:SFTP_...}` and `%{note:SFTP_...}` (directives reference, section 5). */
import type { Settings } from '../../src/config/server-config.ts';
import type { MutableSessionFacts } from '../session/session-context.ts';
import type { AgreedAlgorithms } from './transport/negotiation.ts';

type Variables = Readonly<Record<string, string>>;

/** On connect; SetEnv's own come first, so that these cannot be replaced. */
export function noteConnected(facts: MutableSessionFacts, setEnv: Settings['setEnv']): void {
  for (const { name, value } of setEnv.toReversed()) facts.environment.set(name, value ?? '');
  note(facts, {
    SFTP: '1',
    SFTP_LIBRARY_VERSION: `OpenSSL ${process.versions.openssl}`,
    SSH_CONNECTION: `${facts.remoteAddress} ${facts.remotePort} ${facts.localAddress} ${facts.localPort}`,
  });
}

/** @param line - the client's whole version line */
export function noteClient(facts: MutableSessionFacts, line: string): void {
  note(facts, { SFTP_CLIENT_BANNER: line });
}

/** After each key exchange. */
export function noteAlgorithms(facts: MutableSessionFacts, agreed: AgreedAlgorithms): void {
  note(facts, {
    SFTP_KEX_ALGO: agreed.keyExchange,
    SFTP_HOST_KEY_ALGO: agreed.hostKey,
    SFTP_CLIENT_CIPHER_ALGO: agreed.cipherIn,
    SFTP_SERVER_CIPHER_ALGO: agreed.cipherOut,
    SFTP_CLIENT_MAC_ALGO: agreed.macIn,
    SFTP_SERVER_MAC_ALGO: agreed.macOut,
    SFTP_CLIENT_COMPRESSION_ALGO: agreed.compressionIn,
    SFTP_SERVER_COMPRESSION_ALGO: agreed.compressionOut,
  });
}

function note(facts: MutableSessionFacts, variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    facts.environment.set(name, value);
    facts.notes.set(name, value);
  }
}

/** SFTPLog's lines about what was agreed on. */
export function algorithmLines(agreed: AgreedAlgorithms, hostKeyType: string): string[] {
  return [
    ` + Session key exchange: ${agreed.keyExchange}`,
    ` + Session host key algorithm: ${agreed.hostKey}`,
    ` + Session server hostkey: ${hostKeyType}`,
    ` + Session client-to-server encryption: ${agreed.cipherIn}`,
    ` + Session server-to-client encryption: ${agreed.cipherOut}`,
    ` + Session client-to-server MAC: ${agreed.macIn}`,
    ` + Session server-to-client MAC: ${agreed.macOut}`,
    ` + Session client-to-server compression: ${agreed.compressionIn}`,
    ` + Session server-to-client compression: ${agreed.compressionOut}`,
  ];
}

/** The same in one line, for the server log. */
export function negotiationLine(agreed: AgreedAlgorithms): string {
  const both = (inward: string, outward: string): string =>
    inward === outward ? inward : `${inward} from and ${outward} to the client`;
  return (
    `SSH connection: key exchange ${agreed.keyExchange}, host key ${agreed.hostKey}, ` +
    `cipher ${both(agreed.cipherIn, agreed.cipherOut)}, MAC ${both(agreed.macIn, agreed.macOut)}`
  );
}
