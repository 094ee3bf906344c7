/** `npm run bench -- NAME [--quick] [--peers a,b]`. */
import { parseArgs } from 'node:util';
import { runTransferBench } from './transfer/run.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, peers: { type: 'string', default: '' } },
});

const [name] = positionals;
if (name !== 'transfer') {
  console.error('usage: npm run bench -- transfer [--quick] [--peers proftpd,vsftpd,pure-ftpd]');
  process.exit(2);
}
await runTransferBench({ quick: values.quick, peers: values.peers === '' ? [] : values.peers.split(',') });
