/** What a session asks of its configuration: settings of a path, and limits of a command. */
import { createEffectiveConfig } from '../../src/config/effective-config.ts';
import { evaluateLimits } from '../../src/config/limit-evaluation.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { operation, suite } from './operation.ts';

const DIRECTORIES = 20;
const COUNT = 2000;

const text = `ServerName bench
DefaultAddress 127.0.0.1
Port 2121
UseIPv6 off
DefaultRoot ~
${Array.from(
  { length: DIRECTORIES },
  (_, index) => `<Directory /srv/files/${index}>
  AllowOverwrite on
  <Limit WRITE>
    AllowUser alice
    DenyAll
  </Limit>
</Directory>
`,
).join('')}`;

const { config } = await loadConfig({ file: '/bench.conf', text, version: 1, environment: {} });
const principal = {
  address: '127.0.0.1',
  hostName: '127.0.0.1',
  className: null,
  user: 'alice',
  groups: ['users'],
  authenticated: true,
};
const effective = createEffectiveConfig(config, config.virtualHosts[0]!, principal);
const noFtpAccess = (): null => null;
const STOR = { verb: 'STOR', groups: ['WRITE'], inAll: true };

suite(`configuration with ${DIRECTORIES} <Directory>`, () => {
  operation('settings of a path seen before', COUNT, () =>
    effective.forPath('/srv/files/7/a/b.bin', '/home/alice', noFtpAccess),
  );
  let index = 0;
  operation('settings of a new path', COUNT, () =>
    effective.forPath(`/srv/files/7/a/${(index += 1)}.bin`, '/home/alice', noFtpAccess),
  );
  const { limitLevels } = effective.forPath('/srv/files/7/a/b.bin', '/home/alice', noFtpAccess);
  operation('<Limit> of a command', COUNT, () => evaluateLimits(limitLevels, STOR, principal));
});
