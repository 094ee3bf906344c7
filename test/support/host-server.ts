/**
 * One server in this process for a file of tests: each virtual host is a port of its own with a configuration of its own,
 * named, so a table of directives needs one start only.
 */
import type { TestContext } from 'node:test';
import { FtpClient, type FtpClientOptions } from './ftp-client.ts';
import { startServer, type InProcessServer, type TestServerOptions } from './server.ts';

export interface HostServer {
  readonly server: InProcessServer;
  port(name: string): number;
  /** A client that read the greeting; closed with the test. */
  connect(name: string, options?: Partial<FtpClientOptions>): Promise<FtpClient>;
}

/** `global` holds for every host; `hosts`: name to the directives of its `<VirtualHost>`. Placeholders as in server.ts. */
export async function startHosts(
  t: Pick<TestContext, 'after'>,
  global: string,
  hosts: Readonly<Record<string, string>>,
  options: TestServerOptions = {},
): Promise<HostServer> {
  const names = Object.keys(hosts);
  const sections = names.map(
    (name, index) => `
<VirtualHost 127.0.0.1>
  ServerName "${name}"
  Port @PORT${index + 2}@
  ${hosts[name]!.trim()}
</VirtualHost>`,
  );
  const config = `
ServerName "main"
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
Port @PORT@
PidFile @DIR@/lockgate.pid
SystemLog @DIR@/system.log
LogFormat words "%m %J %s"
<Global>
  UseReverseDNS off
  SyslogLevel debug
  ${global.trim()}
</Global>
${sections.join('\n')}
`;
  const server = await startServer(t, config, options);
  const port = (name: string): number => {
    const found = server.ports[names.indexOf(name) + 1];
    if (found === undefined) throw new Error(`no virtual host ${name}`);
    return found;
  };
  return {
    server,
    port,
    async connect(name, more = {}) {
      const client = await FtpClient.connect({ port: port(name), ...more });
      t.after(() => client.destroy());
      return client;
    },
  };
}
