import type { PullBlob } from '../../observe/pull-log.ts';
import type { LiveHealth, LivePeer, LivePull } from '../live-report.ts';
import type { PageFacts } from './page-facts.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 15, 4, 5);
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A digest that is made of a number. For tests. */
export function digestOfNumber(n: number): string {
  return `sha256:${(n + 1).toString(16).padStart(8, '0').repeat(8)}`;
}

/** A peer ID that is made of a number. For tests. */
function peerIdOf(n: number): string {
  return `12D3KooW${(n + 1).toString(36).padStart(8, 'x').repeat(5).slice(0, 44)}`;
}

/** A peer that is well. For tests. */
export function peerOf(n: number, different: Partial<LivePeer> = {}): LivePeer {
  return {
    id: peerIdOf(n),
    name: `node-${n}`,
    addresses: [`10.0.${Math.floor(n / 250)}.${(n % 250) + 1}`],
    zone: ['zone-a', 'zone-b', 'zone-c'][n % 3],
    state: 'connected',
    stateSinceMs: NOW_MS - 3 * HOUR_MS,
    isMember: true,
    answerMs: 1 + (n % 7),
    bytesPerSecond: n % 2 === 0 ? 80e6 + n * 1e5 : undefined,
    uploads: n % 4,
    takenBytes: n * 3_000_000,
    givenBytes: n * 1_100_000,
    order: 'first',
    ...different,
  };
}

/** A pull that has ended, all of it from one peer. For tests. */
export function pullOf(id: number, different: Partial<LivePull> = {}): LivePull {
  const layer = (n: number): PullBlob => ({
    kind: n === 0 ? 'config' : 'layer',
    reference: digestOfNumber(id * 10 + n),
    sizeBytes: n === 0 ? 4_200 : 12_400_000,
    movedBytes: n === 0 ? 4_200 : 12_400_000,
    state: 'given',
    from: ['10.0.0.2'],
    reason: undefined,
  });
  return {
    id,
    image: `registry.example/team/app-${id}:v1.${id}`,
    digest: digestOfNumber(id * 10 + 9),
    outcome: 'served',
    startedAt: new Date(NOW_MS - (60 - id) * MINUTE_MS).toISOString(),
    durationMs: 840 + id * 10,
    localBytes: 0,
    peerBytes: 24_804_200,
    flightBytes: 0,
    upstreamBytes: 0,
    wantedBytes: 24_804_200,
    peers: [{ address: '10.0.0.2', bytes: 24_804_200, bytesPerSecond: 95_000_000 }],
    blobs: [layer(0), layer(1), layer(2)],
    blobCount: 3,
    ...different,
  };
}

/** A node that is well. For tests. */
export const HEALTH: LiveHealth = {
  self: { id: peerIdOf(0), name: 'node-0', addresses: ['/ip4/10.0.0.1/tcp/5001'], zone: 'zone-a' },
  version: '1.2.3',
  startedAt: new Date(NOW_MS - 30 * HOUR_MS).toISOString(),
  isReady: true,
  isStoreConnected: true,
  canary: {
    isRunning: false,
    last: {
      outcome: 'used',
      text: 'containerd asked this mirror',
      image: 'registry.example/spegel-canary/0:1',
      startedAt: new Date(NOW_MS - 12 * MINUTE_MS).toISOString(),
      durationMs: 42,
      askedAfterMs: 12,
      askedFrom: '127.0.0.1',
      requests: 5,
      isPulled: true,
      isRemoved: true,
    },
  },
  findings: [],
  peerCounts: { connected: 5, suspect: 0, dead: 0, known: 0, members: 5 },
  damagedBlobs: 0,
  memory: { usedBytes: 61e6, limitBytes: 134_217_728 },
};

/** What a node of six knows that is well, with a roll-out under way. For tests. */
export function factsOf(different: Partial<PageFacts> = {}): PageFacts {
  const peers = new Map(Array.from({ length: 5 }, (_, n) => [peerIdOf(n + 1), peerOf(n + 1)]));
  const running = pullOf(51, {
    image: 'registry.example/team/web:v42',
    outcome: 'running',
    startedAt: new Date(NOW_MS - 4000).toISOString(),
    durationMs: 4000,
    peerBytes: 12_404_200,
    wantedBytes: 49_604_200,
    blobs: [
      {
        kind: 'config',
        reference: digestOfNumber(700),
        sizeBytes: 4_200,
        movedBytes: 4_200,
        state: 'given',
        from: ['10.0.0.2'],
        reason: undefined,
      },
      {
        kind: 'layer',
        reference: digestOfNumber(701),
        sizeBytes: 12_400_000,
        movedBytes: 12_400_000,
        state: 'given',
        from: ['10.0.0.2'],
        reason: undefined,
      },
      {
        kind: 'layer',
        reference: digestOfNumber(702),
        sizeBytes: 25_200_000,
        movedBytes: 8_400_000,
        state: 'running',
        from: ['10.0.0.3', '10.0.0.2'],
        reason: undefined,
      },
      {
        kind: 'layer',
        reference: digestOfNumber(703),
        sizeBytes: 12_000_000,
        movedBytes: 0,
        state: 'missing',
        from: [],
        reason: 'no-record',
      },
    ],
    blobCount: 4,
    upstreamBytes: 12_000_000,
  });
  const node = (n: number, parent: number | undefined, role: string, hasBegun = true) => ({
    id: peerIdOf(n),
    addresses: [`10.0.0.${n + 1}`],
    parent: parent === undefined ? undefined : peerIdOf(parent),
    role,
    hasBegun,
    depth: 0,
    children: 0,
  });
  return {
    nowMs: NOW_MS,
    port: 9090,
    health: HEALTH,
    traffic: {
      hours: [0, 1, 2, 4, 5, 9, 10, 11, 12, 16, 20].toReversed().map((ago) => ({
        startedAt: new Date(Math.floor(NOW_MS / HOUR_MS) * HOUR_MS - ago * HOUR_MS).toISOString(),
        hits: 20 + ago * 3,
        misses: ago % 5,
        localBytes: 1e6 * ago,
        peerBytes: 40e6 * (1 + (ago % 4)),
        upstreamBytes: 9e6 * (ago % 5),
        givenBytes: 22e6 * (ago % 3),
      })),
      zones: [
        { zone: 'zone-a', isOwn: true, members: 1, bytes: 812e6 },
        { zone: 'zone-b', isOwn: false, members: 2, bytes: 120e6 },
        { zone: 'zone-c', isOwn: false, members: 2, bytes: 12e6 },
      ],
    },
    peers,
    running: [running],
    ended: [
      pullOf(50),
      pullOf(49, {
        outcome: 'partly',
        upstreamBytes: 12_400_000,
        peerBytes: 12_404_200,
        blobs: [
          {
            kind: 'layer',
            reference: digestOfNumber(491),
            sizeBytes: 12_400_000,
            movedBytes: 12_400_000,
            state: 'given',
            from: ['10.0.0.3', '10.0.0.4'],
            reason: undefined,
          },
          {
            kind: 'layer',
            reference: digestOfNumber(492),
            sizeBytes: 12_400_000,
            movedBytes: 0,
            state: 'missing',
            from: [],
            reason: 'peers-busy',
          },
        ],
        peers: [
          { address: '10.0.0.3', bytes: 8_000_000, bytesPerSecond: 60e6 },
          { address: '10.0.0.4', bytes: 4_404_200, bytesPerSecond: 31e6 },
          { address: '10.0.0.5', bytes: 4_200, bytesPerSecond: 1e6 },
        ],
      }),
      pullOf(48, {
        outcome: 'missing',
        peerBytes: 0,
        upstreamBytes: 0,
        wantedBytes: undefined,
        digest: undefined,
        peers: [],
        blobs: [
          {
            kind: 'manifest',
            reference: 'v1.48',
            movedBytes: 0,
            state: 'missing',
            sizeBytes: undefined,
            from: [],
            reason: 'no-record',
          },
        ],
        blobCount: 1,
      }),
      pullOf(47, { localBytes: 24_804_200, peerBytes: 0, peers: [] }),
      pullOf(46, { outcome: 'left', durationMs: 65_000 }),
      ...Array.from({ length: 9 }, (_, n) => pullOf(45 - n)),
    ],
    streams: {
      flights: {
        self: peerIdOf(0),
        maxHoldMs: 25_000,
        downloads: [
          {
            digest: digestOfNumber(702),
            registry: 'registry.example',
            repository: 'team/web',
            role: 'child',
            parent: { id: peerIdOf(2), addresses: ['10.0.0.3'] },
            writtenBytes: 8_400_000,
            sizeBytes: 25_200_000,
            readers: 1,
            isStuck: false,
            towers: [{ id: peerIdOf(4), addresses: ['10.0.0.5'] }],
          },
          {
            digest: digestOfNumber(703),
            registry: 'registry.example',
            repository: 'team/web',
            role: 'root',
            writtenBytes: 3_000_000,
            sizeBytes: 12_000_000,
            readers: 1,
            isStuck: false,
            towers: [{ id: peerIdOf(0), addresses: ['10.0.0.1'] }],
          },
        ],
        flights: [
          {
            digest: digestOfNumber(703),
            nodes: [
              node(0, undefined, 'root'),
              node(1, 0, 'child'),
              node(2, 1, 'child'),
              node(3, 1, 'child'),
              node(4, 3, 'child', false),
              node(5, 0, 'child'),
            ],
          },
          {
            digest: digestOfNumber(701),
            nodes: [node(0, undefined, 'holder'), node(1, undefined, 'holder')],
          },
        ],
      },
    },
    ...different,
  };
}
