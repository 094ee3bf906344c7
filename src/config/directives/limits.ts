/** mod_auth, mod_core, mod_xfer: counts and time limits (reference, section 5). */
import { works, type DirectiveRow } from '../directive-row.ts';
import type { LimitWithMessage, Settings } from '../server-config.ts';
import { duration } from '../values.ts';
import {
  classLimit,
  fileSizeLimit,
  limitWithMessage,
  sessionTimeout,
  transferLimit,
  transferRate,
} from '../values-limits.ts';
import { SVG, SVGA, SVGADf } from './contexts.ts';

type CountKey = {
  [K in keyof Settings]: Settings[K] extends LimitWithMessage
    ? LimitWithMessage extends Settings[K]
      ? K
      : never
    : never;
}[keyof Settings];

function count(name: string, key: CountKey, contexts: typeof SVG, summary: string): DirectiveRow {
  return works({
    name,
    key,
    merge: 'replace',
    module: 'mod_auth',
    contexts,
    syntax: `${name} number|none ["message"]`,
    defaultText: 'none',
    parse: limitWithMessage,
    summary,
  });
}

type TimeoutKey = 'timeoutIdle' | 'timeoutLogin' | 'timeoutNoTransfer' | 'timeoutStalled' | 'timeoutLinger';

function timeout(
  name: string,
  key: TimeoutKey,
  module: string,
  defaultText: string,
  summary: string,
): DirectiveRow {
  return works({
    name,
    key,
    merge: 'replace',
    module,
    contexts: key === 'timeoutLinger' || key === 'timeoutLogin' ? SVG : SVGA,
    syntax: `${name} seconds`,
    defaultText,
    parse: duration,
    summary: `${summary} 0 switches it off.`,
  });
}

export const LIMITS: readonly DirectiveRow[] = [
  count('MaxClients', 'maxClients', SVGA, 'Users logged in at once.'),
  works({
    name: 'MaxClientsPerClass',
    key: 'maxClientsPerClass',
    merge: 'append',
    module: 'mod_auth',
    contexts: SVG,
    syntax: 'MaxClientsPerClass class number|none ["message"]',
    defaultText: 'none',
    parse: classLimit,
    summary: 'Users of a class logged in at once.',
  }),
  count('MaxClientsPerHost', 'maxClientsPerHost', SVGA, 'Users logged in at once from one address.'),
  count('MaxClientsPerUser', 'maxClientsPerUser', SVGA, 'Sessions of one user at once.'),
  count('MaxHostsPerUser', 'maxHostsPerUser', SVGA, 'Addresses from which one user is logged in at once.'),
  count(
    'MaxConnectionsPerHost',
    'maxConnectionsPerHost',
    SVG,
    'Connections at once from one address, before login.',
  ),
  works({
    name: 'MaxTransfersPerHost',
    key: 'maxTransfersPerHost',
    merge: 'append',
    module: 'mod_xfer',
    contexts: SVGADf,
    syntax: 'MaxTransfersPerHost APPE,RETR,STOR,STOU number|none ["message"]',
    defaultText: 'none',
    parse: transferLimit,
    summary: 'Transfers at once with one address.',
  }),
  works({
    name: 'MaxTransfersPerUser',
    key: 'maxTransfersPerUser',
    merge: 'append',
    module: 'mod_xfer',
    contexts: SVGADf,
    syntax: 'MaxTransfersPerUser APPE,RETR,STOR,STOU number|none ["message"]',
    defaultText: 'none',
    parse: transferLimit,
    summary: 'Transfers of one user at once.',
  }),
  works({
    name: 'MaxStoreFileSize',
    key: 'maxStoreFileSize',
    merge: 'append',
    module: 'mod_xfer',
    contexts: SVGADf,
    syntax: 'MaxStoreFileSize number B|Kb|Mb|Gb|Tb [user|group|class expression]',
    defaultText: 'none',
    parse: fileSizeLimit,
    summary: 'Largest file that may be uploaded; `*` for no limit.',
  }),
  works({
    name: 'MaxRetrieveFileSize',
    key: 'maxRetrieveFileSize',
    merge: 'append',
    module: 'mod_xfer',
    contexts: SVGADf,
    syntax: 'MaxRetrieveFileSize number B|Kb|Mb|Gb|Tb [user|group|class expression]',
    defaultText: 'none',
    parse: fileSizeLimit,
    summary: 'Largest file that may be downloaded; `*` for no limit.',
  }),
  works({
    name: 'TransferRate',
    key: 'transferRate',
    merge: 'append',
    module: 'mod_xfer',
    contexts: SVGADf,
    syntax: 'TransferRate APPE,RETR,STOR,STOU kilobytes[:free-bytes] [user|group|class expression]',
    defaultText: 'none',
    parse: transferRate,
    summary: 'Kilobytes a second of one session; the free bytes go unthrottled.',
  }),
  timeout(
    'TimeoutIdle',
    'timeoutIdle',
    'mod_core',
    '600',
    'Seconds without a command and without a transfer.',
  ),
  timeout(
    'TimeoutLogin',
    'timeoutLogin',
    'mod_auth',
    '300',
    'Seconds in which a client must have logged in.',
  ),
  timeout(
    'TimeoutNoTransfer',
    'timeoutNoTransfer',
    'mod_xfer',
    '300',
    'Seconds without a transfer or listing.',
  ),
  timeout('TimeoutStalled', 'timeoutStalled', 'mod_xfer', '3600', 'Seconds a transfer may stand still.'),
  timeout(
    'TimeoutLinger',
    'timeoutLinger',
    'mod_core',
    '10',
    'Seconds to wait for the end of a data connection.',
  ),
  works({
    name: 'TimeoutSession',
    key: 'timeoutSession',
    merge: 'append',
    module: 'mod_auth',
    contexts: SVGA,
    syntax: 'TimeoutSession seconds [user|group|class expression]',
    defaultText: 'none',
    parse: sessionTimeout,
    summary: 'Seconds a session may last in all. 0 switches it off.',
  }),
];
