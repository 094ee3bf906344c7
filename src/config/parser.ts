/**
 * Text to tree. Include, Define and the parse-time filters (IfModule, IfDefine, IfVersion) are settled here, so
 * the tree holds only directives and real sections. Files are read through ConfigSource; nothing else is touched.
 */
import { ConfigError } from './config-error.ts';
import type { ConfigSource } from './config-source.ts';
import type { Diagnostics } from './diagnostics.ts';
import { placed } from './diagnostics.ts';
import { includedFiles, readIncludeOptions, type IncludeOptions } from './include-files.ts';
import { isKnownModule } from './known-modules.ts';
import { LEXER_LIMITS, logicalLines, splitWords, type LogicalLine, type Word } from './lexer.ts';
import { FilterStack, isFilterName, type FilterName } from './parse-filters.ts';
import { tagWords } from './section-tag.ts';
import type { SourceLocation } from './server-config.ts';
import { sectionNamed, type ConfigNode, type SectionName } from './syntax-tree.ts';

/** Bounds of a configuration with all its included files. */
export const PARSER_LIMITS = {
  includeDepth: 16,
  files: 4096,
  totalLength: 64 * 1024 * 1024,
  sectionDepth: 16,
} as const;

export interface ParseOptions {
  readonly file: string;
  readonly text: string;
  readonly source: ConfigSource;
  /** Labels of `-D`. */
  readonly defines: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The ProFTPD version `<IfVersion>` compares with. */
  readonly compatibleVersion: string;
  readonly isModuleAvailable: (name: string) => boolean;
  readonly diagnostics: Diagnostics;
  /** False for .ftpaccess: users write those, and must not read the server's files or environment. */
  readonly trusted: boolean;
}

export interface ParsedConfig {
  readonly nodes: readonly ConfigNode[];
  /** Labels of `-D` and `Define`. */
  readonly defines: readonly string[];
  /** Every file read, in order. */
  readonly files: readonly string[];
}

/** A section whose end has not come; `name` is null for an unknown one, whose content is read and thrown away. */
interface OpenSection {
  readonly name: SectionName | null;
  readonly spelling: string;
  readonly args: readonly string[];
  readonly location: SourceLocation;
  readonly children: ConfigNode[];
}

/** Parses a configuration. Throws nothing but ConfigError (and, collecting diagnostics, not even that). */
export function parseConfig(options: ParseOptions): ParsedConfig {
  return new Parser(options).run();
}

class Parser {
  readonly #options: ParseOptions;
  readonly #diagnostics: Diagnostics;
  readonly #root: ConfigNode[] = [];
  readonly #sections: OpenSection[] = [];
  readonly #defines: Set<string>;
  readonly #environment: Map<string, string>;
  readonly #files: string[] = [];
  #includeOptions: IncludeOptions = { allowSymlinks: false, ignoreTempFiles: false, ignoreWildcards: false };
  #totalLength = 0;

  constructor(options: ParseOptions) {
    this.#options = options;
    this.#diagnostics = options.diagnostics;
    this.#defines = new Set(options.defines);
    const values = options.trusted ? Object.entries(options.environment) : [];
    this.#environment = new Map(
      values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
  }

  run(): ParsedConfig {
    const { file, text } = this.#options;
    this.#diagnostics.attempt(() => this.#parseText(file, text, 0));
    return { nodes: this.#root, defines: [...this.#defines], files: this.#files };
  }

  #parseText(file: string, text: string, depth: number): void {
    this.#totalLength += text.length;
    if (text.length > LEXER_LIMITS.fileLength || this.#totalLength > PARSER_LIMITS.totalLength) {
      throw new ConfigError(`configuration file '${file}' is too large`);
    }
    if (this.#files.length >= PARSER_LIMITS.files) throw new ConfigError('too many configuration files');
    this.#files.push(file);
    const outerSections = this.#sections.length;
    const filters = new FilterStack();
    for (const line of logicalLines(text)) {
      const location = { file, line: line.line };
      this.#diagnostics.attempt(
        () => this.#parseLine(line, location, filters, outerSections, depth),
        undefined,
        location,
      );
    }
    this.#closeFile(filters, outerSections);
  }

  /** What a file opens, it closes. */
  #closeFile(filters: FilterStack, outerSections: number): void {
    for (const open of filters.open()) {
      this.#diagnostics.fail(
        new ConfigError(`<${open.name}> section is not closed`, { location: open.location }),
      );
    }
    while (this.#sections.length > outerSections) {
      const open = this.#sections.at(-1);
      if (open === undefined) return;
      this.#diagnostics.fail(
        new ConfigError(`<${open.spelling}> section is not closed`, { location: open.location }),
      );
      this.#endSection();
    }
  }

  #parseLine(
    line: LogicalLine,
    location: SourceLocation,
    filters: FilterStack,
    outerSections: number,
    depth: number,
  ): void {
    if (filters.skipping) {
      filters.skipLine(line.text, location);
      return;
    }
    if (line.text.length > LEXER_LIMITS.lineLength) throw new ConfigError('line is too long');
    const { words, unterminatedQuote } = splitWords(line.text);
    if (unterminatedQuote) this.#diagnostics.warn('quote is not closed', null, location);
    const first = words[0];
    if (first === undefined) return;
    if (first.quoted || !first.text.startsWith('<')) {
      const values = words.slice(1);
      this.#directive(
        first.text,
        keepsVariables(first.text) ? values.map(({ text }) => text) : this.#expand(values),
        location,
        depth,
      );
    } else if (first.text.startsWith('</')) {
      this.#closeTag(tagWords(words, '</'), filters, outerSections);
    } else {
      this.#openTag(tagWords(words, '<'), location, filters);
    }
  }

  #openTag(words: readonly Word[], location: SourceLocation, filters: FilterStack): void {
    const spelling = words[0]?.text ?? '';
    const args = this.#expand(words.slice(1));
    if (isFilterName(spelling)) {
      filters.push(spelling, this.#filterHolds(spelling, args, location), location);
      return;
    }
    if (this.#sections.length >= PARSER_LIMITS.sectionDepth) {
      throw new ConfigError('sections are nested too deeply');
    }
    const name = sectionNamed(spelling);
    // Opened even when unknown: in a complete check its end tag must not count as a second error.
    this.#sections.push({ name, spelling: name ?? spelling, args, location, children: [] });
    if (name === null) throw new ConfigError(`unknown configuration directive '<${spelling}>'`);
  }

  #closeTag(words: readonly Word[], filters: FilterStack, outerSections: number): void {
    const spelling = words[0]?.text ?? '';
    if (words.length > 1) throw new ConfigError(`</${spelling}>: wrong number of parameters`);
    if (isFilterName(spelling)) {
      filters.pop(spelling);
      return;
    }
    const open = this.#sections.at(-1);
    if (open === undefined || this.#sections.length <= outerSections) {
      throw new ConfigError(`</${spelling}> without <${spelling}>`);
    }
    if (open.spelling.toLowerCase() !== spelling.toLowerCase()) {
      throw new ConfigError(
        `</${spelling}> closes <${open.spelling}> of line ${open.location.line}: expected </${open.spelling}>`,
      );
    }
    this.#endSection();
  }

  #endSection(): void {
    const open = this.#sections.pop();
    if (open === undefined || open.name === null) return;
    const { name, args, location, children } = open;
    this.#append({ kind: 'section', name, args, location, children });
  }

  #append(node: ConfigNode): void {
    (this.#sections.at(-1)?.children ?? this.#root).push(node);
  }

  #filterHolds(name: FilterName, args: readonly string[], location: SourceLocation): boolean {
    const [word, ...rest] = args;
    if (word === undefined) throw new ConfigError(`<${name}>: missing parameters`);
    return FilterStack.holds(name, [word, ...rest], {
      isModuleAvailable: (module) => {
        const available = this.#options.isModuleAvailable(module);
        if (!available && isKnownModule(module) && !word.startsWith('!')) {
          this.#diagnostics.noEffect(
            `<${name} ${word}>`,
            location,
            `${module} is not part of this server: the block is skipped`,
          );
        }
        return available;
      },
      defines: this.#defines,
      version: this.#options.compatibleVersion,
    });
  }

  #directive(name: string, args: readonly string[], location: SourceLocation, depth: number): void {
    switch (name.toLowerCase()) {
      case 'include':
        this.#include(args, location, depth);
        return;
      case 'includeoptions':
        this.#includeOptions = readIncludeOptions(args);
        return;
      case 'define':
        if (args[0] === undefined) throw new ConfigError('missing parameters', { directive: 'Define' });
        // Read too late: OpenSSL works already. Ignored, it would be a FIPS mode that is none.
        if (args[0] === 'TLS_USE_FIPS' || args[0] === 'SFTP_USE_FIPS')
          throw new ConfigError(`FIPS mode is asked for on the command line only: start with -D${args[0]}`, {
            directive: 'Define',
          });
        this.#defines.add(args[0]);
        return;
      case 'loadmodule':
        this.#loadModule(args, location);
        return;
      case 'modulepath':
        this.#requireTopLevel('ModulePath');
        this.#diagnostics.noEffect('ModulePath', location, 'modules are built in');
        return;
      case 'setenv':
        if (args[0] !== undefined && this.#options.trusted) this.#environment.set(args[0], args[1] ?? '');
        break;
      case 'unsetenv':
        if (args[0] !== undefined) this.#environment.delete(args[0]);
        break;
      default:
        break;
    }
    this.#append({ kind: 'directive', name, args, location });
  }

  #loadModule(args: readonly string[], location: SourceLocation): void {
    const directive = 'LoadModule';
    this.#requireTopLevel(directive);
    const module = args[0];
    if (module === undefined || args.length > 1) {
      throw new ConfigError(module === undefined ? 'missing parameters' : 'wrong number of parameters', {
        directive,
      });
    }
    if (this.#options.isModuleAvailable(module)) return;
    if (!isKnownModule(module)) {
      throw new ConfigError(`unable to load '${module}': no such module in this server`, { directive });
    }
    const because = `${module} is not part of this server: <IfModule ${module}> blocks are skipped`;
    this.#diagnostics.noEffect(directive, location, because);
  }

  #requireTopLevel(directive: string): void {
    const open = this.#sections.at(-1);
    if (open === undefined) return;
    throw new ConfigError(`directive not allowed in <${open.spelling}> context`, { directive });
  }

  #include(args: readonly string[], location: SourceLocation, depth: number): void {
    const directive = 'Include';
    const path = args[0];
    if (path === undefined) throw new ConfigError('missing parameters', { directive });
    if (args.length > 1) throw new ConfigError('wrong number of parameters', { directive });
    if (!this.#options.trusted) {
      throw new ConfigError('directive not allowed in .ftpaccess context', { directive });
    }
    if (depth >= PARSER_LIMITS.includeDepth) {
      throw new ConfigError('files include each other too deeply', { directive });
    }
    const source = this.#options.source;
    const { files, skippedLinks } = withDirective(directive, () =>
      includedFiles(path, this.#includeOptions, source),
    );
    for (const link of skippedLinks) {
      const because = `symbolic link '${link}' skipped (IncludeOptions AllowSymlinks would include it)`;
      this.#diagnostics.warn(because, directive, location);
    }
    for (const file of files) {
      const text = readIncluded(source, file);
      this.#parseText(file, text, depth + 1);
    }
  }

  /** `%{env:NAME}`; a variable that is not set is empty. */
  #expand(words: readonly Word[]): readonly string[] {
    return words.map(({ text }) =>
      text.includes('%{env:')
        ? text.replace(/%\{env:([^}]*)\}/g, (_, name: string) => this.#environment.get(name) ?? '')
        : text,
    );
  }
}

function withDirective<T>(directive: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof ConfigError ? placed(error, directive) : error;
  }
}

function readIncluded(source: ConfigSource, file: string): string {
  try {
    return source.readFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new ConfigError(`unable to read configuration file '${file}': ${reason}`, {
      directive: 'Include',
      cause: error,
    });
  }
}

/** Formats of log lines ask for a session's variables, which only the session knows (and the server's beside them). */
function keepsVariables(directive: string): boolean {
  return directive.toLowerCase() === 'logformat';
}
