/** What the file is, beyond a damaged key. */
export type HostKeyProblem =
  /** Encrypted, and no pass phrase was given. */
  | 'needs-pass-phrase'
  /** The format of Tectia and ssh.com, which nobody here can open. */
  | 'tectia'
  /** Something else than a private key: the operator named the wrong file. */
  | 'no-private-key';

/** A host key cannot be used; the text says to the operator why, and holds nothing of the key. */
export class HostKeyError extends Error {
  readonly problem: HostKeyProblem | null;

  constructor(reason: string, problem: HostKeyProblem | null = null) {
    super(reason);
    this.name = 'HostKeyError';
    this.problem = problem;
  }

  get needsPassPhrase(): boolean {
    return this.problem === 'needs-pass-phrase';
  }
}
