/** Child process of the login benchmark: logs in and out until the time is over, prints how often. */
import { FtpLoadClient } from './ftp-load-client.ts';

const [port, user, password, seconds, tls] = process.argv.slice(2);
const end = Date.now() + Number(seconds) * 1000;
let logins = 0;

async function loop(): Promise<void> {
  while (Date.now() < end) {
    const client = await FtpLoadClient.connect({ port: Number(port), tls: tls === 'tls' });
    await client.login(user!, password!);
    await client.quit();
    logins++;
  }
}

await Promise.all(Array.from({ length: 4 }, loop));
console.log(logins);
