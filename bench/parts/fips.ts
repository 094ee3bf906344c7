/** What a FIPS module costs: the same server with and without it. */
import { hashPassword } from '../../crypto/password-hash.ts';
import { fipsArguments, needsFipsProvider } from '../../test/support/fips-provider.ts';
import { NotMeasurable, type Measure, type Part } from '../harness/part.ts';
import type { Series } from '../harness/results.ts';
import type { Sizes } from '../harness/sizes.ts';
import { ratioInterval } from '../harness/statistics.ts';
import { FTP_SERVER } from '../peers/peer.ts';
import { LOCKGATE, lockgateVariant } from '../peers/lockgate.ts';
import { countLogins } from './logins.ts';
import { smallFilesMeasure } from './small-files.ts';
import { FTPS_1_3 } from './targets.ts';
import { transferMeasure } from './transfer.ts';

const WITH_FIPS = 'lockgate-fips';
const PBKDF2_USER = 'lockgate-bench-pbkdf2';
/** FIPS may cost this share of throughput. */
const ALLOWED_LOSS = 0.1;
const CONFIDENCE = 0.95;

/** A second user, whose password is kept in the one way FIPS approves. */
async function accounts({ password }: { readonly password: string }) {
  return [[PBKDF2_USER, await hashPassword(password)]] as const;
}

function moduleArguments(): readonly string[] {
  let missing = 'no FIPS provider';
  const module = needsFipsProvider({ skip: (why?: string) => void (missing = why ?? missing) });
  if (module === null) throw new NotMeasurable(missing);
  return fipsArguments(module);
}

export const fips: Part = {
  name: 'fips',
  summary: 'The same server without and with a FIPS module (strict), taking turns.',
  peers: [
    lockgateVariant({ name: LOCKGATE, accounts }),
    lockgateVariant({ name: WITH_FIPS, args: moduleArguments, accounts }),
  ],
  measures: (sizes) => [
    transferMeasure(FTPS_1_3, 'download', 1, sizes),
    transferMeasure(FTPS_1_3, 'upload', 1, sizes),
    smallFilesMeasure(FTPS_1_3, 1, sizes),
    loginMeasure('$6$', null, sizes),
    loginMeasure('PBKDF2 (600,000 rounds)', PBKDF2_USER, sizes),
  ],
  remarks: (series) =>
    series.filter(({ server }) => server === WITH_FIPS).flatMap((with_) => remark(series, with_)),
};

function loginMeasure(hash: string, user: string | null, sizes: Sizes): Measure {
  return {
    name: `FTPS TLS 1.3 logins, ${hash}, ${sizes.streams} clients`,
    variant: FTP_SERVER,
    run: (server, context) =>
      countLogins(
        server,
        context,
        (to, fixture) => FTPS_1_3.target(to, user === null ? fixture : { ...fixture, user }),
        false,
        sizes.streams,
      ),
  };
}

/** How the two compare in one metric that counts. */
function remark(series: readonly Series[], fipsSeries: Series): string[] {
  if (fipsSeries.better !== 'higher') return [];
  const plain = series.find(
    ({ server, measure, metric }) =>
      server === LOCKGATE && measure === fipsSeries.measure && metric === fipsSeries.metric,
  );
  const interval = plain === undefined ? null : ratioInterval(plain.values, fipsSeries.values, CONFIDENCE);
  if (interval === null) return [];
  const [ratio, low, high] = [interval.ratio, interval.low, interval.high].map((value) => value.toFixed(2));
  const lost = fipsSeries.metric === 'MB/s' && interval.high < 1 - ALLOWED_LOSS ? ': more than 10% lost' : '';
  return [
    `${fipsSeries.measure}, ${fipsSeries.metric}: with FIPS ${ratio} of without (${low} to ${high})${lost}.`,
  ];
}
