// A metrics listener with as many peers, images and pulls as it is told, and none of the rest of a daemon.
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { createKernelTransport } from '../../../src/http/kernel-transport.ts';
import { silentLogger } from '../../../src/observe/log.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { createPeerTraffic } from '../../../src/observe/peer-traffic.ts';
import { createPullLog, type PullBlob, type RunningPull } from '../../../src/observe/pull-log.ts';
import { createTrafficLog } from '../../../src/observe/traffic-log.ts';
import { createTransferLog } from '../../../src/observe/transfer-log.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { KAD_PROTOCOL } from '../../../src/p2p/limits.ts';
import { readPeerStates } from '../../../src/p2p/read-peer-states.ts';
import type { Router } from '../../../src/routing/router.ts';
import { systemClock as clock } from '../../../src/runtime/clock.ts';
import { shareResult } from '../../../src/runtime/share-result.ts';
import { trimMemory } from '../../../src/runtime/trim-memory.ts';
import { createMetricsApp } from '../../../src/web/metrics-app.ts';

const SECOND_MS = 1000;
const MB = 1_000_000;
const [peerCount = 0, tagCount = 0, busyPeers = 0] = process.argv.slice(2).map(Number);
const { signal } = new AbortController();

const addressesOf = (n: number) => [`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, `fd00::${n.toString(16)}`];
// Peers are read as a daemon reads them, because that is most of the work.
const libp2p = await createLibp2p({ start: false });
for (let n = 1; n <= peerCount; n++) {
  const [ipv4 = '', ipv6 = ''] = addressesOf(n);
  await libp2p.peerStore.save(peerIdFromPrivateKey(await generateKeyPair('Ed25519')), {
    multiaddrs: [multiaddr(`/ip4/${ipv4}/tcp/5001`), multiaddr(`/ip6/${ipv6}/tcp/5001`)],
    protocols: [KAD_PROTOCOL, '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/spegel/notices/1.0.0'],
  });
}
const states = {
  libp2p,
  dht: {
    lifeOf: () => ({ life: 'alive', forMs: performance.now() }) as const,
    zoneOf: (name: string) => `zone-${name.slice(-1)}`,
    nodeNameOf: (name: string) => `node-${name.slice(-8)}.example.internal`,
  },
  gate: { isMember: () => true },
  membership: { admits: () => true },
  peerConnections: { sinceContactMs: () => 0 },
  allowLoopback: true,
};
const router: Router = {
  ready: () => true,
  async *lookup() {
    yield { id: 'peer', addresses: ['10.0.0.1'] };
  },
  isUnsettled: () => false,
  advertise: async () => {},
  withdraw: async () => {},
  peers: shareResult(clock, async () => readPeerStates(states)),
  self: () => ({ id: 'self', multiaddrs: [], zone: 'zone-0', name: 'self' }),
};

const tags = Array.from({ length: tagCount }, (_, n) => ({
  registry: 'registry.example',
  repository: `team-${n % 97}/service-${n % 1000}`,
  tag: `v${n}`,
  digest: digestOf(Buffer.from(String(n))),
}));
const blobs = (id: number, count: number, movedBytes: number): readonly PullBlob[] =>
  Array.from({ length: count }, (_, n) => ({
    kind: 'layer',
    reference: digestOf(Buffer.from(`${id}/${n}`)),
    sizeBytes: 100 * MB,
    movedBytes,
    state: 'running',
    from: addressesOf(n),
    reason: undefined,
  }));
const pull = (id: number, blobCount: number, movedBytes: number): RunningPull => ({
  id,
  image: `registry.example/team/service:v${id}`,
  digest: digestOf(Buffer.from(String(id))),
  durationMs: Math.round(performance.now()),
  localBytes: 0,
  peerBytes: movedBytes,
  flightBytes: 0,
  peers: Array.from({ length: 16 }, (_, n) => ({
    address: addressesOf(n)[0] ?? '',
    bytes: movedBytes,
    bytesPerSecond: MB,
  })),
  upstreamBytes: 0,
  wantedBytes: blobCount * 100 * MB,
  blobs: blobs(id, blobCount, movedBytes),
  blobCount,
});
const pulls = createPullLog();
for (let id = 1; id <= 50; id++) {
  pulls.ended({ ...pull(id, 64, MB), outcome: 'served', misses: [], missCount: 0 }, 0);
}
// Three images of 30 layers each are being pulled all the time.
pulls.runningFrom(() => [51, 52, 53].map((id) => pull(id, 30, Math.round(performance.now()))));

const byPeer = createPeerTraffic();
const byHour = createTrafficLog();
setInterval(() => {
  byHour.add({ hits: 1, peerBytes: MB });
  for (let n = 1; n <= busyPeers; n++) byPeer.add(addressesOf(n)[0] ?? '', { takenBytes: MB });
}, SECOND_MS);

const transport = createKernelTransport({ onError: (error) => console.error(error) });
const server = await transport.serve({
  address: '127.0.0.1:0',
  maxBodyBytes: 32 * 1024,
  handler: createMetricsApp(
    {
      metrics: createMetrics({ version: 'bench', commit: 'bench' }),
      router,
      advertised: () => ({ imageTags: new Map(), imageDigests: new Map(), contentDigests: new Map() }),
      advertisedTags: () => tags,
      metricsPort: 9090,
      transfers: createTransferLog(),
      pulls,
      why: async () => {
        throw new Error('This node explains nothing');
      },
      live: {
        router,
        viewOf: () => ({
          order: 'first',
          why: undefined,
          answerMs: 1,
          bytesPerSecond: MB,
          uploads: 1,
          name: undefined,
        }),
        byPeer,
        byHour,
        pulls,
        health: () => ({
          version: 'bench',
          startedAt: new Date().toISOString(),
          isStoreConnected: true,
          damagedBlobs: 0,
          memory: {},
        }),
        wallClockMs: Date.now,
        clock,
      },
      bootstrap: () => undefined,
      hasLocally: async () => true,
      clock,
      logger: silentLogger,
    },
    { debugWebEnabled: true },
    signal,
  ),
  onError: (error) => console.error(error),
});
void trimMemory({ clock, isIdle: () => true }, signal);
console.log(server.port);
