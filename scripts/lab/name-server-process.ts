/**
 * The lab's name server, started inside a namespace with an address to listen on and the path of a zone file, which
 * it reads anew for each question.
 */
import { readFileSync } from 'node:fs';
import { startDnsServer } from '../../src/bootstrap/testing/dns-server.ts';
import type { Zone } from './name-server.ts';

const [host, zonePath] = process.argv.slice(2);
if (host === undefined || zonePath === undefined) throw new Error('Give an address and the path of a zone');
await startDnsServer(
  ({ name }) => {
    const zone = JSON.parse(readFileSync(zonePath, 'utf8')) as Zone;
    const addresses = zone[name];
    if (addresses === undefined) return { error: 'NXDOMAIN' };
    return addresses === 'SERVFAIL' ? { error: 'SERVFAIL' } : { addresses };
  },
  { host, port: 53 },
);
console.log('listening');
