/**
 * Runs inside a node's namespace and takes TLS off: `<port> <port behind it> <certificate> <key>`. A line on standard
 * output says that it listens.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer } from 'node:tls';

const [port, target, certificate = '', key = ''] = process.argv.slice(2);

createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (client) => {
  const mirror = connect({ host: '127.0.0.1', port: Number(target) });
  client.pipe(mirror).pipe(client);
  client.on('error', () => mirror.destroy());
  mirror.on('error', () => client.destroy());
})
  .on('tlsClientError', () => {})
  .listen(Number(port), '::', () => console.log('listening'));
