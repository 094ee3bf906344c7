/** All tables, in the order in which the registry lists them. */
import type { DirectiveRow } from '../directive-row.ts';
import { AUTH } from './auth.ts';
import { CONTRIB } from './contrib.ts';
import { CORE_FILES } from './core-files.ts';
import { CORE_GRAMMAR } from './core-grammar.ts';
import { CORE_SERVER } from './core-server.ts';
import { LIMITS } from './limits.ts';
import { LOG } from './log.ts';
import { LS } from './ls.ts';
import { MOD_FTP } from './mod-ftp.ts';
import { MOD_SSL } from './mod-ssl.ts';
import { SFTP } from './sftp.ts';
import { SMALL } from './small.ts';
import { TLS } from './tls.ts';
import { XFER } from './xfer.ts';

export const DIRECTIVE_TABLES: readonly (readonly DirectiveRow[])[] = [
  CORE_SERVER,
  CORE_GRAMMAR,
  CORE_FILES,
  AUTH,
  LIMITS,
  XFER,
  LS,
  LOG,
  SMALL,
  TLS,
  SFTP,
  ...CONTRIB,
  MOD_FTP,
  MOD_SSL,
];
