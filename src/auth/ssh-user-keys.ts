/** Which keys are a user's: authorized keys files, the embedded store, certificates of a trusted authority. */
import { isIP } from 'node:net';
import { checkUserCertificate } from '../../crypto/ssh/certificates.ts';
import { parseAuthorizedKeys } from '../../crypto/ssh/key-files.ts';
import type { AuthorizedKey } from '../../crypto/ssh/key-files.ts';
import type { SftpKeyStore, Settings } from '../config/server-config.ts';
import { addressMatches, normaliseAddress, parseAddressPattern } from '../config/address-pattern.ts';
import { ConfigError } from '../config/config-error.ts';
import { globMatches } from '../config/glob-match.ts';
import type { Note, PresentedKey } from './ssh-key-rules.ts';
import { storePath } from './ssh-key-stores.ts';
import type { KeyStoreFiles } from './ssh-key-stores.ts';

/** Whose key is looked for, and from where the request comes. */
export interface KeyOwner {
  readonly loginName: string;
  /** The account's name; null: there is no such account. */
  readonly user: string | null;
  readonly home: string | null;
  /** Keys of the embedded store. */
  readonly storedEntries: readonly string[];
  readonly address: string;
  readonly hostName: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The key is the user's; what a security key's signature must show besides. */
export interface KeyGrant {
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
}

const MAX_PROBLEM_LINES = 10;

/** Null: the key is not one of the user's. The same files are looked for whether the user exists or not. */
export function findUserKey(
  presented: PresentedKey,
  owner: KeyOwner,
  settings: Settings,
  files: KeyStoreFiles,
  note: Note,
): KeyGrant | null {
  const entries = [
    ...storedEntries(owner),
    ...fileEntries(settings.sftpAuthorizedUserKeys, owner, files, note),
  ];
  const grant =
    presented.certificate === null
      ? plainKeyGrant(presented, entries, owner, settings, note)
      : certificateGrant(presented, entries, owner, settings, files, note);
  if (grant === null) {
    if (presented.certificate === null) noteNoMatch(owner, settings.sftpAuthorizedUserKeys, note);
    return null;
  }
  const options = settings.sftpOptions;
  return {
    touchRequired: grant.touchRequired || options.includes('FIDOTouchRequired'),
    verifyRequired: grant.verifyRequired || options.includes('FIDOVerifyRequired'),
  };
}

function plainKeyGrant(
  presented: PresentedKey,
  entries: readonly AuthorizedKey[],
  owner: KeyOwner,
  settings: Settings,
  note: Note,
): KeyGrant | null {
  const { blob } = presented.key;
  for (const entry of entries) {
    if (entry.options.certAuthority || !entry.blob.equals(blob)) continue;
    if (!subjectFits(entry, owner, settings, note) || !entryAdmits(entry, owner, note)) continue;
    return entry.options;
  }
  return null;
}

function certificateGrant(
  presented: PresentedKey,
  entries: readonly AuthorizedKey[],
  owner: KeyOwner,
  settings: Settings,
  files: KeyStoreFiles,
  note: Note,
): KeyGrant | null {
  const { certificate } = presented;
  if (certificate === null || owner.user === null) return null;
  const use = { user: owner.user, address: owner.address, now: owner.now };
  const refused = (reason: string): void => {
    // The key id is whatever the authority wrote; the log escapes it.
    note(
      `certificate '${certificate.keyId.slice(0, 128)}' (serial ${certificate.serial}) refused for user '${owner.loginName}': ${reason}`,
    );
  };
  const systemWide = checkUserCertificate(certificate, {
    ...use,
    trustedCas: trustedAuthorities(settings, files, note),
  });
  if (systemWide.ok) return systemWide;
  for (const entry of entries) {
    if (!entry.options.certAuthority || !entry.blob.equals(certificate.signatureKey.blob)) continue;
    if (!entryAdmits(entry, owner, note)) continue;
    const { principals } = entry.options;
    const verdict = checkUserCertificate(certificate, {
      ...use,
      trustedCas: [entry.blob],
      ...(principals === null ? {} : { principals }),
    });
    if (verdict.ok) {
      return {
        touchRequired: verdict.touchRequired || entry.options.touchRequired,
        verifyRequired: verdict.verifyRequired || entry.options.verifyRequired,
      };
    }
    refused(verdict.reason);
    return null;
  }
  refused(systemWide.reason);
  return null;
}

/** Keys of LockgateTrustedUserCAKeys. */
function trustedAuthorities(settings: Settings, files: KeyStoreFiles, note: Note): readonly Buffer[] {
  const path = settings.sftpTrustedUserCAKeys;
  if (path === null) return [];
  const content = files.load(path);
  if (content.kind === 'keys') {
    // Restrictions of one line are not ones of an authority here; what they would restrict is left out.
    const free = content.keys.keys.filter(({ options }) => options.from === null && options.expires === null);
    return free.map((key) => key.blob);
  }
  note(`unable to use LockgateTrustedUserCAKeys '${path}': ${content.reason}`);
  return [];
}

function storedEntries(owner: KeyOwner): AuthorizedKey[] {
  return owner.storedEntries.flatMap((entry) => [...parseAuthorizedKeys(entry).keys]);
}

function fileEntries(
  stores: readonly SftpKeyStore[],
  owner: KeyOwner,
  files: KeyStoreFiles,
  note: Note,
): AuthorizedKey[] {
  return stores.flatMap((store) => {
    const path = storePath(store.path, owner.loginName, owner.home);
    if (path === null) return [];
    return [...entriesOf(path, files, note, owner.user !== null)];
  });
}

/** @param tells false for unknown users, whose made-up paths mean nothing to the operator */
function entriesOf(path: string, files: KeyStoreFiles, note: Note, tells: boolean): readonly AuthorizedKey[] {
  const content = files.load(path);
  if (content.kind === 'unusable') {
    if (tells) note(`unable to use key store '${path}': ${content.reason}`);
    return [];
  }
  for (const { line, reason } of content.keys.problems.slice(0, MAX_PROBLEM_LINES)) {
    note(`${reason} on line ${line} of '${path}'`);
  }
  return content.keys.keys;
}

/** MatchKeySubject: a key that names somebody must name this user. */
function subjectFits(entry: AuthorizedKey, owner: KeyOwner, settings: Settings, note: Note): boolean {
  if (entry.subject === null || !settings.sftpOptions.includes('MatchKeySubject')) return true;
  if (entry.subject === owner.loginName || entry.subject === owner.user) return true;
  note(
    `found matching key for user '${owner.loginName}', but Subject header ('${entry.subject}') does not match, skipping key`,
  );
  return false;
}

/** `from=` and `expiry-time=` of OpenSSH lines. */
function entryAdmits(entry: AuthorizedKey, owner: KeyOwner, note: Note): boolean {
  const { from, expires } = entry.options;
  if (expires !== null && owner.now >= expires) {
    note(`found matching key for user '${owner.loginName}', but it has expired, skipping key`);
    return false;
  }
  if (from !== null && !addressListAdmits(from, owner.address, owner.hostName)) {
    note(
      `found matching key for user '${owner.loginName}', but its from= option does not allow ${owner.address}, skipping key`,
    );
    return false;
  }
  return true;
}

/** A pattern list of sshd(8): one positive match, and no match with a `!` pattern. */
export function addressListAdmits(patterns: readonly string[], address: string, hostName: string): boolean {
  let admitted = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    const matches = patternMatches(negated ? pattern.slice(1) : pattern, address, hostName);
    // A network nobody can read may be the one that was to be kept out.
    if (matches === 'unreadable') return false;
    if (!matches) continue;
    if (negated) return false;
    admitted = true;
  }
  return admitted;
}

function patternMatches(pattern: string, address: string, hostName: string): boolean | 'unreadable' {
  if (pattern.includes('/')) {
    try {
      return addressMatches(parseAddressPattern(pattern), { address, hostName });
    } catch (error) {
      if (error instanceof ConfigError) return 'unreadable';
      throw error;
    }
  }
  if (isIP(pattern) !== 0) return normaliseAddress(pattern) === normaliseAddress(address);
  return globMatches(pattern, address) || globMatches(pattern.toLowerCase(), hostName.toLowerCase());
}

function noteNoMatch(owner: KeyOwner, stores: readonly SftpKeyStore[], note: Note): void {
  const where = stores.map((store) => `file:${store.path}`).join(' ') || 'the user store';
  note(
    `no matching public key found for user '${owner.loginName}' in '${where}'; perhaps keys are not RFC4716-formatted`,
  );
}

/** The key of a client host in SFTPAuthorizedHostKeys; with MatchKeySubject a Subject must name that host. */
export function isAuthorizedHostKey(
  presented: PresentedKey,
  host: string,
  settings: Settings,
  files: KeyStoreFiles,
  note: Note,
): boolean {
  const matchesSubject = settings.sftpOptions.includes('MatchKeySubject');
  for (const store of settings.sftpAuthorizedHostKeys) {
    for (const entry of entriesOf(store.path, files, note, true)) {
      if (entry.options.certAuthority || !entry.blob.equals(presented.key.blob)) continue;
      if (matchesSubject && entry.subject !== null && entry.subject.toLowerCase() !== host.toLowerCase()) {
        note(
          `found matching key for host '${host}', but Subject header ('${entry.subject}') does not match, skipping key`,
        );
        continue;
      }
      return true;
    }
  }
  const where = settings.sftpAuthorizedHostKeys.map((store) => `file:${store.path}`).join(' ');
  note(
    `no matching public key found for host '${host}' in '${where}'; perhaps keys are not RFC4716-formatted`,
  );
  return false;
}
