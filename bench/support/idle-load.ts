/** Child process of the memory benchmark: holds sessions open, says READY, and ends when its input does. */
import { FtpLoadClient } from './ftp-load-client.ts';

const [port, user, password, count] = process.argv.slice(2);
const clients: FtpLoadClient[] = [];
const wanted = Number(count);

async function open(): Promise<void> {
  while (clients.length < wanted) {
    const client = await FtpLoadClient.connect({ port: Number(port), tls: true });
    clients.push(client);
    await client.login(user!, password!);
  }
}

await Promise.all(Array.from({ length: 8 }, open));
console.log('READY');
process.stdin.on('end', () => process.exit(0)).resume();
