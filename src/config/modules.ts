/** The modules whose directives and commands really work: what `-l` and `-vv` print and `<IfModule>` asks for. */

/** One module; `name` without `.c`. */
export interface ModuleInfo {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
}

/** In the order `-l` lists them. Versions are those of the ProFTPD modules whose behaviour is reproduced. */
export const MODULES: readonly ModuleInfo[] = Object.freeze([
  { name: 'mod_core', version: '1.3.9', summary: 'server, virtual hosts, sections, access control, paths' },
  { name: 'mod_dso', version: '0.5', summary: 'LoadModule of built-in modules' },
  { name: 'mod_xfer', version: '1.3.9', summary: 'transfers' },
  { name: 'mod_auth_unix', version: '1.3.9', summary: 'accounts of /etc/passwd and /etc/shadow' },
  { name: 'mod_auth_file', version: '1.0', summary: 'AuthUserFile and AuthGroupFile' },
  { name: 'mod_auth', version: '1.3.9', summary: 'login, roots and limits' },
  { name: 'mod_ls', version: '1.3.9', summary: 'LIST, NLST and STAT listings' },
  { name: 'mod_log', version: '1.3.9', summary: 'ExtendedLog, LogFormat, SystemLog, ServerLog' },
  { name: 'mod_site', version: '1.3.9', summary: 'SITE CHMOD, CHGRP, HELP' },
  { name: 'mod_facts', version: '0.6', summary: 'MLSD, MLST, MFF, MFMT' },
  { name: 'mod_ident', version: '1.0', summary: 'RFC 1413 look-ups' },
  { name: 'mod_rlimit', version: '1.0', summary: 'process limits' },
  { name: 'mod_lang', version: '1.1', summary: 'LANG, OPTS UTF8' },
  { name: 'mod_readme', version: '1.3.9', summary: 'DisplayReadme' },
  { name: 'mod_ifsession', version: '1.3', summary: '<IfUser>, <IfGroup>, <IfClass>, <IfAuthenticated>' },
  { name: 'mod_ifversion', version: '0.2', summary: '<IfVersion>' },
  { name: 'mod_tls', version: '2.9.3', summary: 'FTPS' },
  { name: 'mod_sftp', version: '1.2.1', summary: 'SFTP and SCP over SSH 2' },
  { name: 'mod_lockgate', version: '1.0', summary: 'directives of this server' },
]);

const available = new Set(MODULES.map((module) => module.name));

/** True for a module that works here; accepts `mod_tls.c` and `mod_tls`, in any case as `<IfModule>` does. */
export function isModuleAvailable(name: string): boolean {
  return available.has(name.toLowerCase().replace(/\.c$/, ''));
}
