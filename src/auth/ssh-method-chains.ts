/**
 * SFTPAuthMethods as chains: `publickey+password` wants both, in this order; the first chain that is complete logs in
 * (sftp-directives, SFTPAuthMethods). Pure.
 */
import type { Settings } from '../config/server-config.ts';

export type SshMethod = 'publickey' | 'hostbased' | 'keyboard-interactive' | 'password';

/** One link: the method the wire names, and for keyboard-interactive the driver that is to ask. */
export interface ChainLink {
  readonly method: SshMethod;
  /** `otp` of `keyboard-interactive:otp`; null: whatever the account needs. */
  readonly driver: string | null;
}

export type Chain = readonly ChainLink[];

/** In the order mod_sftp offers them. */
const METHOD_ORDER: readonly SshMethod[] = ['publickey', 'hostbased', 'keyboard-interactive', 'password'];

/** The chains in force: those of SFTPAuthMethods, else each configured method by itself. */
export function chainsInForce(settings: Settings): readonly Chain[] {
  if (settings.sftpAuthMethods !== null) {
    return settings.sftpAuthMethods.map((words) => words.map(parseLink)).filter((chain) => chain.length > 0);
  }
  const methods = METHOD_ORDER.filter((method) => isConfigured(method, settings));
  return methods.map((method) => [{ method, driver: null }]);
}

function isConfigured(method: SshMethod, settings: Settings): boolean {
  switch (method) {
    case 'publickey':
      return (
        settings.sftpAuthorizedUserKeys.length > 0 ||
        settings.sftpTrustedUserCAKeys !== null ||
        settings.userStore !== null
      );
    case 'hostbased':
      return settings.sftpAuthorizedHostKeys.length > 0;
    // The embedded store is what one-time codes come from: our driver.
    case 'keyboard-interactive':
      return settings.userStore !== null;
    case 'password':
      return true;
  }
}

function parseLink(word: string): ChainLink {
  const [name = '', driver] = word.split(':', 2);
  const method = METHOD_ORDER.find((known) => known === name);
  if (method === undefined) throw new Error(`SFTPAuthMethods holds the unknown method '${name}'`);
  return { method, driver: driver ?? null };
}

/** What a passed link has shown. */
export type Proof = 'password' | 'key' | 'code';

/** A link that can be passed now, and what the links before it in its own chain have shown. */
export interface OpenLink {
  readonly link: ChainLink;
  readonly behind: ReadonlySet<Proof>;
}

interface Course {
  readonly left: Chain;
  readonly behind: ReadonlySet<Proof>;
}

const anyLink = (): boolean => true;
const nothingShown: ReadonlySet<Proof> = new Set();

/** How far a session has come on each chain. */
export class ChainProgress {
  #courses: readonly Course[];

  constructor(chains: readonly Chain[]) {
    this.#courses = chains.map((left) => ({ left, behind: nothingShown }));
  }

  /** Methods that can come next, each once, in the order of the chains. */
  get methods(): readonly SshMethod[] {
    return [...new Set(this.#courses.flatMap(({ left }) => left[0]?.method ?? []))];
  }

  /** The links `method` may satisfy now, in the order of the chains. */
  openLinks(method: SshMethod): readonly OpenLink[] {
    return this.#courses.flatMap((course) => openLink(course, method) ?? []);
  }

  /** The link `method` would satisfy now; null: not one that can come next. */
  next(method: SshMethod): ChainLink | null {
    return this.openLinks(method)[0]?.link ?? null;
  }

  /**
   * True when passing `method` now would complete a chain.
   * @param fits which links what was shown is good for: a code alone does not pass a link that wants a password
   */
  wouldComplete(method: SshMethod, fits: (open: OpenLink) => boolean = anyLink): boolean {
    return this.#courses.some((course) => course.left.length === 1 && isPassed(course, method, fits));
  }

  /** `method` was passed; chains that wait for something else stay where they are. */
  pass(method: SshMethod, fits: (open: OpenLink) => boolean = anyLink, shown: readonly Proof[] = []): void {
    this.#courses = this.#courses.map((course) =>
      isPassed(course, method, fits)
        ? { left: course.left.slice(1), behind: new Set([...course.behind, ...shown]) }
        : course,
    );
  }

  /** From now on nothing but this link completes the login. */
  require(link: ChainLink): void {
    this.#courses = [{ left: [link], behind: nothingShown }];
  }
}

function openLink({ left, behind }: Course, method: SshMethod): OpenLink | null {
  const [link] = left;
  return link?.method === method ? { link, behind } : null;
}

function isPassed(course: Course, method: SshMethod, fits: (open: OpenLink) => boolean): boolean {
  const open = openLink(course, method);
  return open !== null && fits(open);
}
