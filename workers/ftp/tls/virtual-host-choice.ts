/** SNI to virtual host (ftps-directives, section 7.2). Pure: what the ClientHello's name means on this listener. */
import { isIP } from 'node:net';
import { hostByAlias } from '../../../src/config/listeners.ts';
import type { VirtualHost } from '../../../src/config/server-config.ts';

export type NameChoice =
  /** No name, or one that does not count. */
  | { readonly kind: 'unnamed' }
  | { readonly kind: 'named'; readonly serverName: string; readonly host: VirtualHost }
  /** A name, but nobody here has names: it is remembered, the virtual host stays. */
  | { readonly kind: 'remembered'; readonly serverName: string }
  | {
      readonly kind: 'refused';
      readonly line: string;
      readonly alert: 'unrecognized_name' | 'access_denied';
    };

export interface NameQuestion {
  /** As the client sent it; null: no server_name extension. */
  readonly serverName: string | null;
  /** Name of an earlier HOST command. */
  readonly requestedHost: string | null;
  readonly ignoreSni: boolean;
  /** Virtual hosts of this address and port, the session's own first. */
  readonly candidates: readonly VirtualHost[];
}

/** TLSEngine of the chosen host is the caller's question: it depends on the session's class too. */
export function chooseByName(question: NameQuestion): NameChoice {
  const name = question.serverName;
  if (name === null || name === '' || isIP(name) !== 0) return { kind: 'unnamed' };
  const host = question.requestedHost;
  // An earlier HOST binds the client even where SNI is otherwise ignored.
  if (
    host !== null &&
    isIP(host.replace(/^\[|\]$/g, '')) === 0 &&
    host.toLowerCase() !== name.toLowerCase()
  ) {
    return {
      kind: 'refused',
      line: `warning: SNI '${name}' does not match HOST '${host}', rejecting SSL/TLS connection`,
      alert: 'access_denied',
    };
  }
  if (question.ignoreSni) return { kind: 'unnamed' };
  const serverName = name.toLowerCase();
  const named = question.candidates.some((candidate) => (candidate.settings.serverAlias ?? []).length > 0);
  if (!named) return { kind: 'remembered', serverName };
  const match = hostByAlias(question.candidates, name);
  if (match !== null) return { kind: 'named', serverName, host: match };
  return {
    kind: 'refused',
    line: `no matching server found for client-sent SNI '${name}', rejecting SSL/TLS connection`,
    alert: 'unrecognized_name',
  };
}

export function engineOffLine(serverName: string): string {
  return `TLSEngine not enabled for SNI '${serverName}', rejecting client`;
}
