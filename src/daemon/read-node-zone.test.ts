import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSelfSignedCertificate } from '../../scripts/lab/self-signed-certificate.ts';
import { createLogger } from '../observe/log.ts';
import { readNodeZone } from './read-node-zone.ts';

const { certificate, privateKey } = createSelfSignedCertificate('localhost');
const LABEL = 'topology.kubernetes.io/zone';
let folder = '';
const servers: Bun.Server<undefined>[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spegel-account-'));
  writeFileSync(join(folder, 'token'), 'secret\n');
  writeFileSync(join(folder, 'ca.crt'), certificate);
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  for (const server of servers.splice(0)) await server.stop(true);
});

/** An API server with this answer; asks it for the zone of node n-1. */
async function read(answer: () => Response, ca = certificate) {
  const asked: { path: string; authorization: string | null }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: certificate, key: privateKey },
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push({ path: pathname, authorization: request.headers.get('authorization') });
      return answer();
    },
  });
  servers.push(server);
  writeFileSync(join(folder, 'ca.crt'), ca);
  const log: string[] = [];
  const logger = createLogger({ level: 'debug', write: (line) => log.push(line) });
  const zone = await readNodeZone(
    'n-1',
    { logger, signal: new AbortController().signal },
    { server: `https://localhost:${server.port}`, folder },
  );
  return { zone, asked, log: log.join('') };
}

const nodeWith = (labels: unknown) => Response.json({ metadata: { name: 'n-1', labels } });

test('readNodeZone() reads the label of the Node, with the token of the pod', async () => {
  const { zone, asked, log } = await read(() => nodeWith({ [LABEL]: 'eu-1a', other: 'x' }));
  expect([zone, log]).toEqual(['eu-1a', '']);
  expect(asked).toEqual([{ path: '/api/v1/nodes/n-1', authorization: 'Bearer secret' }]);
});

test.each<[string, () => Response, string]>([
  ['a Node without the label', () => nodeWith({}), 'has no zone'],
  ['a Node without labels', () => nodeWith(undefined), 'has no zone'],
  ['a label that makes no sense', () => nodeWith({ [LABEL]: 'a b' }), 'has no zone'],
  ['a refusal', () => Response.json({}, { status: 403 }), 'status 403'],
  ['no JSON', () => new Response('<html>'), 'Cannot read the zone'],
])('readNodeZone() warns of %s, and knows no zone', async (_, answer, warning) => {
  const { zone, log } = await read(answer);
  expect(zone).toBeUndefined();
  expect(log).toContain(warning);
  expect(log).not.toContain('secret');
});

test('readNodeZone() asks no server that the authority of the pod does not vouch for', async () => {
  const { zone, asked, log } = await read(
    () => nodeWith({ [LABEL]: 'eu-1a' }),
    createSelfSignedCertificate('localhost').certificate,
  );
  expect([zone, asked]).toEqual([undefined, []]);
  expect(log).toContain('Cannot read the zone');
});

test('readNodeZone() warns where the pod has no token', async () => {
  rmSync(join(folder, 'token'));
  const { zone, log } = await read(() => nodeWith({ [LABEL]: 'eu-1a' }));
  expect(zone).toBeUndefined();
  expect(log).toContain('token');
});
