/** The crypto profile at a handshake: what is refused before it starts, and the proof behind it. */
import type { TLSSocket } from 'node:tls';
import {
  negotiatedTls,
  negotiationLine,
  outsideProfile,
  type NegotiatedTls,
} from '../../../crypto/negotiated-tls.ts';
import { activeProfile, type CryptoProfile } from '../../../crypto/profile.ts';
import { fatalAlert, TLS_1_2, type ClientHello } from './client-hello.ts';
import type { HandshakeChoice } from './server-handshake.ts';
import { expectedVersion } from './session-reuse.ts';

const NO_EXTENDED_MASTER_SECRET =
  'unable to accept TLS connection: client does not offer the extended master secret (RFC 7627), which the FIPS ' +
  'profile requires in TLS 1.2';

/**
 * OpenSSL negotiates the extended master secret wherever a client offers it, and has no option to require it; a FIPS
 * module may refuse the key derivation later, with an internal error that tells nobody anything. RFC 7627, section 5.3:
 * a server that does not continue without it aborts the handshake.
 */
export function refuseByProfile(
  hello: ClientHello | null,
  versions: readonly string[],
  profile: CryptoProfile = activeProfile(),
): (HandshakeChoice & { kind: 'refuse' }) | null {
  if (!profile.tls.requiresExtendedMasterSecret || hello === null) return null;
  const version = expectedVersion(hello, versions);
  if (version === null || version > TLS_1_2 || hello.extendedMasterSecret) return null;
  return { kind: 'refuse', lines: [NO_EXTENDED_MASTER_SECRET], alert: fatalAlert('handshake_failure') };
}

export interface NegotiationReport {
  readonly negotiated: NegotiatedTls;
  /** For the TLSLog, whatever came of it. */
  readonly line: string;
  /** Why the connection must end; null: it lies inside the profile. */
  readonly violation: string | null;
}

/** What a handshake settled on, and whether the profile has it. */
export function reportNegotiation(
  stream: TLSSocket,
  channel: 'control' | 'data',
  preSharedKey: boolean = false,
  profile: CryptoProfile = activeProfile(),
): NegotiationReport {
  const tls = negotiatedTls(stream, preSharedKey);
  const outside = outsideProfile(tls, profile);
  return {
    negotiated: tls,
    line: negotiationLine(tls, channel),
    violation:
      outside === null
        ? null
        : `ending ${channel} connection: it negotiated ${outside}, which the FIPS profile does not allow`,
  };
}
