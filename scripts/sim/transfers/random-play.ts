import { createRandom, type Random } from '../random.ts';
import { PEER_FAULTS, type PeerNature } from './sim-peers.ts';
import type { TransferPlay } from './transfer-play.ts';

const MOST_PEERS = 10;
const PULLS = 40;

/** Pulls among peers with whatever may go wrong, by its seed: some 200 requests of containerd. */
export function randomPlay(seed: number): TransferPlay {
  const random = createRandom(seed).fork(9);
  const count = 1 + random.below(MOST_PEERS);
  const sometimes = (share: number) => (random.next() < 1 / 2 ? share * random.next() : 0);
  return {
    seed,
    pulls: PULLS,
    peers: Array.from({ length: count }, () => randomPeer(random)),
    parallel: random.pick([1, 1, 2, 4]),
    images: random.pick([3, 10, 40]),
    layers: random.pick([1, 3, 6]),
    layerSizes: random.pick(['mixed', 'mixed', 'mixed', 'small', 'large']),
    refusalRule: random.pick(['keeps', 'removes']),
    hasFlights: random.next() < 1 / 3,
    unseenManifests: sometimes(0.5),
    cancelled: sometimes(0.3),
    turns: sometimes(1),
    strayRecords: sometimes(0.5),
    lateLookups: sometimes(0.2),
    invented: random.next() < 1 / 8 ? 1 + random.below(5) : 0,
    againMs: random.pick([3000, 10_000, 70_000]),
  };
}

function randomPeer(random: Random): PeerNature {
  return {
    faults: random.next() < 1 / 3 ? [] : random.sample(PEER_FAULTS, 1 + random.below(2)),
    flapMs: random.next() < 1 / 3 ? 2000 + random.below(30_000) : undefined,
    has: random.pick([0.3, 0.8, 1]),
    rots: random.pick([0.2, 1]),
    isRightIfVerified: random.next() < 1 / 2,
    isHonest: random.next() < 1 / 2,
    hasDeadAddress: random.next() < 1 / 10,
  };
}
