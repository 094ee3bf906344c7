/** MLST and MLSD entries (RFC 3659, section 7; core reference, sections 7 and 19). */
import { selectFacts } from '../fact-names.ts';
import { formatTimeVal } from '../time-val.ts';

export interface FactEntry {
  readonly type: 'file' | 'dir' | 'cdir' | 'pdir' | 'link';
  /** Text behind `slink:` for links under FactsOptions UseSlink; null: `OS.unix=symlink`. */
  readonly slinkTarget: string | null;
  /** Milliseconds since the epoch. */
  readonly modify: number;
  readonly size: number;
  readonly device: number;
  readonly inode: number;
  readonly mode: number;
  readonly owner: number;
  readonly group: number;
  readonly ownerName: string;
  readonly groupName: string;
  readonly rights: { readonly read: boolean; readonly write: boolean; readonly execute: boolean };
}

/** Facts in the entry's order, ended by `; name`; CRLF is the caller's. */
export class FactLineFormatter {
  readonly #facts: readonly string[];
  #second = Number.NaN;
  #secondText = '';

  /** `selected`: names in any case; unknown ones are left out. */
  constructor(selected: readonly string[]) {
    this.#facts = selectFacts(selected);
  }

  format(entry: FactEntry, name: string): string {
    let text = '';
    for (const fact of this.#facts) {
      const value = this.#value(fact, entry);
      if (value !== null) text += `${fact}=${value};`;
    }
    return `${text} ${name}`;
  }

  #value(fact: string, entry: FactEntry): string | null {
    switch (fact) {
      case 'modify':
        return this.#time(entry.modify);
      case 'perm':
        return permLetters(entry);
      case 'size':
        return isDirectory(entry) ? null : String(entry.size);
      case 'type':
        return typeText(entry);
      case 'unique':
        return `${entry.device.toString(16)}U${entry.inode.toString(16)}`;
      case 'UNIX.group':
        return String(entry.group);
      case 'UNIX.groupname':
        return factText(entry.groupName);
      case 'UNIX.mode':
        return `0${(entry.mode & 0o7777).toString(8).padStart(3, '0')}`;
      case 'UNIX.owner':
        return String(entry.owner);
      case 'UNIX.ownername':
        return factText(entry.ownerName);
      default:
        return null;
    }
  }

  #time(time: number): string {
    const second = Math.floor(time / 1000);
    if (second === this.#second) return this.#secondText;
    this.#second = second;
    this.#secondText = formatTimeVal(second * 1000);
    return this.#secondText;
  }
}

/** A fact's value must not hold what separates facts. */
function factText(value: string): string {
  return value.replace(/[;\s\x00-\x1f\x7f]/g, '_');
}

function isDirectory(entry: FactEntry): boolean {
  return entry.type === 'dir' || entry.type === 'cdir' || entry.type === 'pdir';
}

function typeText(entry: FactEntry): string {
  if (entry.type !== 'link') return entry.type;
  return entry.slinkTarget === null ? 'OS.unix=symlink' : `OS.unix=slink:${factText(entry.slinkTarget)}`;
}

/** Section 19: what the session may do, by access rights alone. */
export function permLetters(entry: Pick<FactEntry, 'type' | 'rights'>): string {
  const { read, write, execute } = entry.rights;
  if (entry.type === 'file' || entry.type === 'link') return `${read ? 'adfr' : 'dfr'}${write ? 'w' : ''}`;
  return `${read ? 'fl' : ''}${write ? 'cdmp' : ''}${execute ? 'e' : ''}`;
}
