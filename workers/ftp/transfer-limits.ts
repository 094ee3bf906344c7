/** Directives that bound one transfer: file sizes, rates, and how many transfers a host or user may run. */
import { applicableValues } from '../../src/config/name-expression.ts';
import type { Conditional, LimitWithMessage, Settings } from '../../src/config/server-config.ts';
import { rateLimiterFor, type RateLimiter } from '../transfer/rate-limit.ts';
import type { FtpSession } from './session-types.ts';
import type { Reply } from './wire/reply.ts';

/** MaxStoreFileSize or MaxRetrieveFileSize in bytes; null: no limit. */
export function sizeLimit(session: FtpSession, limits: readonly Conditional<number>[]): number | null {
  if (limits.length === 0) return null;
  const limit = applicableValues(limits, session.config.principal)[0];
  return limit === undefined || limit <= 0 || !Number.isFinite(limit) ? null : limit;
}

/** TransferRate for one command; null: no limit. */
export function rateLimit(session: FtpSession, settings: Settings, verb: string): RateLimiter | null {
  if (settings.transferRate.length === 0) return null;
  return rateLimiterFor(
    applicableValues(settings.transferRate, session.config.principal),
    verb,
    settings.transferBufferSize,
  );
}

type TransferLimits = readonly (LimitWithMessage & { readonly commands: readonly string[] })[];

function limitFor(limits: TransferLimits, verb: string): TransferLimits[number] | null {
  return limits.find((limit) => limit.count > 0 && limit.commands.includes(verb)) ?? null;
}

export type TransferPermit =
  | { readonly ok: true; readonly release: () => Promise<void> }
  | { readonly ok: false; readonly reply: Reply };

const UNCOUNTED: TransferPermit = { ok: true, release: () => Promise.resolve() };

/** MaxTransfersPerHost and MaxTransfersPerUser: main counts, and is asked only where one of them is set. */
export async function permitTransfer(
  session: FtpSession,
  settings: Settings,
  verb: string,
  argument: string,
): Promise<TransferPermit> {
  const host = limitFor(settings.maxTransfersPerHost, verb);
  const user = limitFor(settings.maxTransfersPerUser, verb);
  if (host === null && user === null) return UNCOUNTED;
  const { services } = session.context;
  const claim = {
    command: verb,
    perHost: host?.count ?? 0,
    perUser: user?.count ?? 0,
    ...(host === null ? {} : { hostCommands: host.commands }),
    ...(user === null ? {} : { userCommands: user.commands }),
  };
  const answer = await services.beginTransfer(claim);
  if (answer === 'ok') return { ok: true, release: () => services.endTransfer() };
  const limit = answer === 'host-limit' ? host : user;
  const count = limit?.count ?? 0;
  const whose = answer === 'host-limit' ? 'your host' : 'this user';
  const text =
    limit?.message?.replaceAll('%m', String(count)) ??
    `Sorry, the maximum number of data transfers (${count}) from ${whose} are currently being used.`;
  return { ok: false, reply: { code: 451, text, end: `${argument}: Too many transfers` } };
}
