/** The methods publickey (RFC 4252, section 7) and hostbased (section 9). */
import { fingerprint, verifySignature } from '../../crypto/ssh/keys.ts';
import type { SshHostbasedProof, SshPublicKeyProof, SshPublicKeyQuery } from '../actor/messages.ts';
import { loginFailed } from './login-policy.ts';
import { readPresentedKey } from './ssh-key-rules.ts';
import type { PresentedKey } from './ssh-key-rules.ts';
import { failed, PASSED } from './ssh-login-context.ts';
import type { Failed, MethodOutcome, SshAuthParts, SshTurn } from './ssh-login-context.ts';
import { hostbasedSignedData, publicKeySignedData } from './ssh-signed-data.ts';
import { findUserKey, isAuthorizedHostKey } from './ssh-user-keys.ts';
import type { KeyGrant } from './ssh-user-keys.ts';

export type KeyOutcome =
  | {
      readonly kind: 'granted';
      readonly presented: PresentedKey;
      readonly grant: KeyGrant;
      readonly identity: string;
    }
  | Failed;

/**
 * Is the key one the user may log in with? For the query and, again, for the signature.
 * @param used identities of keys that have passed a link of the chain already
 */
export function judgeUserKey(
  turn: SshTurn,
  request: SshPublicKeyQuery | SshPublicKeyProof,
  used: ReadonlySet<string>,
  parts: SshAuthParts,
): KeyOutcome {
  const { settings, label } = turn;
  const refuse = (reason: string): KeyOutcome => ({ kind: 'failed', refusal: loginFailed(label, reason) });
  const blob = Buffer.from(request.blob);
  turn.environment['SFTP_USER_PUBLICKEY_ALGO'] = request.algorithm;
  const reading = readPresentedKey(request.algorithm, blob, settings, parts.blacklist, turn.note);
  if (reading.kind === 'blacklisted') return refuse('requested public key is blacklisted');
  if (reading.kind === 'refused') return refuse('requested public key is not acceptable');
  const { presented } = reading;
  const shown = showFingerprint(turn, presented);
  if (request.hostKeyBlob !== null && !Buffer.from(request.hostKeyBlob).equals(turn.request.hostKeyBlob)) {
    turn.note('public key request is bound to another server host key, rejecting request');
    return refuse('public key request is bound to another host key');
  }
  const identity = fingerprint(presented.key.blob, 'sha256', 'hex');
  if (used.has(identity)) {
    turn.note(`publickey request reused previously verified publickey (fingerprint ${shown}), rejecting`);
    return refuse('public key was used before');
  }
  const grant = findUserKey(presented, ownerOf(turn), settings, parts.keyFiles, turn.note);
  if (turn.found === null) {
    turn.note(`no account for user '${turn.loginName}' found`);
    return { kind: 'failed', refusal: turn.noSuchUser() };
  }
  if (grant === null) return refuse('No matching public key found');
  return { kind: 'granted', presented, grant, identity };
}

/** The signature: always computed, so that a key outside the store costs the same. */
export function checkUserSignature(
  turn: SshTurn,
  request: SshPublicKeyProof,
  judged: Extract<KeyOutcome, { kind: 'granted' }>,
): MethodOutcome {
  const { presented, grant } = judged;
  const data = publicKeySignedData(
    { sessionIdentifier: turn.request.sessionIdentifier, loginName: turn.loginName },
    request,
  );
  const signature = Buffer.from(request.signature);
  const verdict = verifySignature(presented.key, presented.signatureAlgorithm, data, signature);
  const refuse = (note: string): MethodOutcome => {
    turn.note(note);
    return failed(loginFailed(turn.label, 'Public key signature refused'));
  };
  if (!verdict.valid) return refuse('failed to verify publickey signature, rejecting request');
  if (verdict.securityKey !== null) {
    const { touched, verified } = verdict.securityKey;
    if (grant.touchRequired && !touched) {
      return refuse('security key signature without user presence, rejecting request');
    }
    if (grant.verifyRequired && !verified) {
      return refuse('security key signature without user verification, rejecting request');
    }
  }
  return PASSED;
}

/** A trusted client host vouches for its user, who must have the same name here. */
export function checkHostbased(
  turn: SshTurn,
  request: SshHostbasedProof,
  parts: SshAuthParts,
): MethodOutcome {
  const { settings, label, loginName } = turn;
  const refuse = (note: string): MethodOutcome => {
    turn.note(note);
    return failed(loginFailed(label, 'Host-based authentication refused'));
  };
  const reading = readPresentedKey(
    request.algorithm,
    Buffer.from(request.blob),
    settings,
    parts.blacklist,
    turn.note,
  );
  if (reading.kind === 'blacklisted') {
    return failed(loginFailed(label, 'requested public key is blacklisted'));
  }
  if (reading.kind === 'refused' || reading.presented.certificate !== null) {
    return refuse('host key of hostbased request is not acceptable');
  }
  const host = request.clientHost.replace(/\.$/, '');
  const isTrusted = isAuthorizedHostKey(reading.presented, host, settings, parts.keyFiles, turn.note);
  const { presented } = reading;
  const data = hostbasedSignedData({ sessionIdentifier: turn.request.sessionIdentifier, loginName }, request);
  const verdict = verifySignature(
    presented.key,
    presented.signatureAlgorithm,
    data,
    Buffer.from(request.signature),
  );
  if (!isTrusted) return refuse(`host '${host}' is not authorized for hostbased authentication`);
  if (settings.useReverseDNS && host.toLowerCase() !== turn.request.hostName.toLowerCase()) {
    return refuse(`client-sent FQDN '${host}' DOES NOT match client DNS name '${turn.request.hostName}'`);
  }
  if (!verdict.valid) return refuse('failed to verify hostbased signature, rejecting request');
  // Any other rule would let every user of the trusted host log in as anybody.
  if (request.clientUser !== loginName) {
    return refuse(`hostbased request of remote user '${request.clientUser}' for user '${loginName}' denied`);
  }
  if (turn.found === null) {
    turn.note(`no account for user '${loginName}' found`);
    return failed(turn.noSuchUser());
  }
  return PASSED;
}

function ownerOf(turn: SshTurn): Parameters<typeof findUserKey>[1] {
  const { found, loginName } = turn;
  return {
    loginName,
    user: found?.account.name ?? null,
    home: found?.account.home ?? null,
    storedEntries: found?.source.credentials?.publicKeys(found.account.name) ?? [],
    address: turn.origin.remoteAddress,
    hostName: turn.request.hostName,
    now: turn.now,
  };
}

function showFingerprint(turn: SshTurn, presented: PresentedKey): string {
  const { hash, encoding } = turn.settings.sftpKeyFingerprints;
  const shown = fingerprint(presented.key.blob, hash, encoding);
  turn.environment['SFTP_USER_PUBLICKEY_FINGERPRINT'] = shown;
  turn.environment['SFTP_USER_PUBLICKEY_FINGERPRINT_ALGO'] = hash;
  return shown;
}
