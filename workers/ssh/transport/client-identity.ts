/** What is known of client programs by their version line: rules of SFTPClientMatch, and what some of them cannot take. */
import type { Settings, SftpClientMatch } from '../../../src/config/server-config.ts';
import type { ClientMatch } from '../ssh-types.ts';

/** Values of all rules that match `software`; of one key, the later rule's. */
export function matchClient(rules: readonly SftpClientMatch[], software: string): ClientMatch {
  let merged: ClientMatch = {};
  for (const { pattern, ...values } of rules) {
    // A shared RegExp must not remember where it was.
    pattern.lastIndex = 0;
    if (pattern.test(software)) merged = { ...merged, ...values };
  }
  return merged;
}

/** Whether KEXINIT must wait for the client's version line: what it holds may depend on it. */
export function waitsForClientVersion(settings: Settings): boolean {
  const { sftpOptions, sftpClientMatch } = settings;
  return (
    sftpOptions.includes('PessimisticKexinit') ||
    sftpOptions.includes('OldProtocolCompat') ||
    sftpClientMatch.some(
      (rule) =>
        rule.sftpCiphers !== undefined ||
        rule.sftpDigests !== undefined ||
        rule.sftpHostKeys !== undefined ||
        rule.sftpKeyExchanges !== undefined,
    )
  );
}

export interface ClientQuirks {
  readonly takesBanner: boolean;
  readonly takesRekey: boolean;
  readonly takesIgnore: boolean;
  readonly takesHostKeyRotation: boolean;
  /** What a program that only looks around is, for the log; null for all others. */
  readonly visitor: 'scan' | 'probe' | null;
}

const NO_BANNER = /^OpenSSH_(1|2\.[0-2]|2\.3\.0)/;
const NO_REKEY = /^(OpenSSH_2\.|Sun_SSH_1\.0|J2SSH_Maverick)/;
const NO_IGNORE = /^(1\.2\.(1[89]|2[0-2])|1\.3\.2|3\.2\.9)/;
const NO_ROTATION = /^(Cisco-1\.|TTSSH\/(1\.|2\.([0-9]|[1-6][0-9]|7[0-2])(\D|$)))/;

export function quirksOf(software: string): ClientQuirks {
  let visitor: ClientQuirks['visitor'] = null;
  if (software.startsWith('SSH_Version_Mapper')) visitor = 'scan';
  else if (software.startsWith('Probe-')) visitor = 'probe';
  return {
    takesBanner: !NO_BANNER.test(software),
    takesRekey: !NO_REKEY.test(software),
    takesIgnore: !NO_IGNORE.test(software),
    takesHostKeyRotation: !NO_ROTATION.test(software),
    visitor,
  };
}
