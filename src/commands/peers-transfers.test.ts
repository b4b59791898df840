import { afterEach, describe, expect, test } from 'bun:test';
import { createHttpServer } from '../http/buffered-http-server.ts';
import { digestOf } from '../oci/digest.ts';
import { failureOf } from '../runtime/conditions.fixture.ts';
import { textWidth } from '../terminal/text-width.ts';
import type { SeenPull, SeenTransfer, TransfersView } from './ask-transfers.ts';
import { DaemonError } from './daemon-error.ts';
import { runPeersTransfers } from './peers-transfers.ts';
import { shortName } from './short-name.ts';

const DIGEST = digestOf(Buffer.from('layer'));
const NOW_MS = Date.parse('2026-01-02T03:04:05.000Z');
const PULL: SeenPull = {
  startedAt: '2026-01-02T03:03:50.000Z',
  image: 'registry.lab:5000/app:v1',
  digest: DIGEST,
  outcome: 'served',
  durationMs: 1234,
  localBytes: 0,
  peerBytes: 25_073_456,
  flightBytes: 0,
  peers: [{ address: '10.0.0.2', bytes: 25_073_456, bytesPerSecond: 2e7 }],
  misses: [],
  missCount: 0,
};
const TRANSFER: SeenTransfer = {
  startedAt: '2026-01-02T03:04:00.000Z',
  kind: 'blob',
  registry: 'registry.lab:5000',
  repository: 'app',
  tag: undefined,
  digest: DIGEST,
  forwarded: false,
  sources: [{ origin: '10.0.0.2', movedBytes: 1000, ended: 'complete' }],
  flight: undefined,
  movedBytes: 20_000_000,
  durationMs: 800,
  outcome: 'served',
  missing: undefined,
};

const servers: AsyncDisposable[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function run(view: TransfersView | undefined, { width = 80, json = false } = {}) {
  const server = await createHttpServer({
    address: '127.0.0.1:0',
    handler({ url }) {
      const { pathname } = new URL(url);
      const { pulls, transfers } = view ?? {};
      if (pathname === '/debug/pulls' && pulls !== undefined) return Response.json({ pulls });
      if (pathname === '/debug/transfers' && transfers !== undefined) return Response.json({ transfers });
      return new Response('', { status: 404 });
    },
    onError: () => {},
  });
  servers.push(server);
  let text = '';
  const writeOut = (part: string) => void (text += part);
  const output = { writeOut, look: () => ({ width, hasColor: false }) };
  await runPeersTransfers({ addr: `127.0.0.1:${server.port}`, json }, output, () => NOW_MS);
  return text;
}

describe('runPeersTransfers()', () => {
  test('prints the last pulls, and what this node and others asked for', async () => {
    const pulls = [
      PULL,
      {
        ...PULL,
        startedAt: '2026-01-02T01:00:00.000Z',
        image: `ghcr.io/b@${DIGEST}`,
        outcome: 'partly',
        localBytes: 1023,
        peers: [...PULL.peers, ...PULL.peers],
        misses: [{ kind: 'blob', reference: DIGEST, reason: 'no-record' }],
        missCount: 2,
      },
    ];
    const transfers = [
      {
        ...TRANSFER,
        sources: [
          { origin: '10.0.0.2', movedBytes: 1, ended: 'stalled' },
          { origin: '10.0.0.3', movedBytes: 1, ended: 'complete' },
        ],
        outcome: 'resumed',
      },
      {
        ...TRANSFER,
        sources: [],
        flight: { role: 'root', parent: undefined, heldMs: 1, aside: undefined },
        movedBytes: 0,
        durationMs: 21,
        outcome: 'missing',
        missing: 'no-record',
      },
      { ...TRANSFER, kind: 'manifest', tag: 'v1', movedBytes: 1500, durationMs: 3.4 },
      { ...TRANSFER, forwarded: true, sources: [{ origin: 'local', movedBytes: 1, ended: 'complete' }] },
    ];
    expect(await run({ pulls, transfers }))
      .toBe(`2 pulls (1 served, 1 partly) of this node. It asked for 3 pieces (1 resumed, 1
missing, 1 served). Other nodes asked it for 1 piece (1 served).

Pulls
AGE  IMAGE             OUTCOME  TOOK    PEERS  FROM           LOCAL  MISSING
13s  registry.lab:     served   1.2s  25.1 MB  10.0.0.2         0 B  -
     5000/app:v1
 2h  ghcr.io/b@        partly   1.2s  25.1 MB  10.0.0.2 +1  1.02 kB  2 no-record
     sha256:${DIGEST.slice(7, 16)}
     ${DIGEST.slice(16, 19)}…

Asked for by this node
AGE  CONTENT                     BYTES   TOOK  FROM             OUTCOME
 4s  blob ${shortName(DIGEST)}   20 MB  800ms  10.0.0.2         resumed
                                               (stalled), then
                                               10.0.0.3
 4s  blob ${shortName(DIGEST)}     0 B   21ms  registry, root   missing:
                                                                no-record
 4s  manifest app:v1            1.5 kB  3.4ms  10.0.0.2         served

Asked for by other nodes
AGE  CONTENT                    BYTES   TOOK  FROM   OUTCOME
 4s  blob ${shortName(DIGEST)}  20 MB  800ms  local  served
`);
  });

  test('prints the last ones of many, and all of them in lines without end', async () => {
    const view = {
      pulls: Array.from({ length: 11 }, () => PULL),
      transfers: Array.from({ length: 21 }, () => TRANSFER),
    };
    const text = await run(view);
    expect(text).toContain('\nPulls (the last 10 of 11)\n');
    expect(text).toContain('\nAsked for by this node (the last 20 of 21)\n');
    const wide = await run(view, { width: Infinity });
    expect(wide.match(/registry\.lab:5000\/app:v1/g)).toHaveLength(11);
    expect(wide.match(new RegExp(`registry\\.lab:5000/app@${DIGEST}`, 'g'))).toHaveLength(21);
  });

  test('says that there was nothing', async () => {
    expect(await run({ pulls: [], transfers: [] })).toBe('No pull of this node has ended so far.\n');
  });

  test.each([20, 60, 80, 200])('prints no line longer than %d columns', async (width) => {
    const view = {
      pulls: Array.from({ length: 5 }, (_, n) => ({
        ...PULL,
        image: `registry.example/${'team/'.repeat(n * 10)}app:v1`,
        misses: ['no-record', 'peers-failed', 'x'.repeat(n * 30)].map((reason) => ({
          kind: 'blob',
          reference: 'a',
          reason,
        })),
        missCount: n,
        localBytes: n * 1e15,
      })),
      transfers: Array.from({ length: 5 }, (_, n) => ({
        ...TRANSFER,
        repository: 'team/'.repeat(n * 10) + 'app',
        tag: n > 2 ? 'v'.repeat(n * 30) : undefined,
        sources: Array.from({ length: n }, () => ({
          origin: 'fd00:10:244:17:aaaa:bbbb:cccc:1',
          movedBytes: 1,
          ended: 'stalled',
        })),
        forwarded: n % 2 === 0,
      })),
    };
    const lines = (await run(view, { width })).split('\n');
    expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(width);
  });

  test('prints as JSON what the node says, and nothing of a newer one', async () => {
    const flight = { role: 'child', parent: { origin: '10.0.0.2', peer: 'a' }, heldMs: 5, aside: undefined };
    const view = { pulls: [PULL], transfers: [{ ...TRANSFER, flight, missing: 'new-reason' }] };
    const text = await run(
      { pulls: [{ ...PULL, newer: 1 } as SeenPull], transfers: view.transfers },
      { json: true },
    );
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(view)));
  });

  test('says what a spegel without its debug page needs', async () => {
    const error = await failureOf(run(undefined));
    expect(error).toBeInstanceOf(DaemonError);
    expect(error.message).toContain('must not have --debug-web-enabled=false');
  });
});
