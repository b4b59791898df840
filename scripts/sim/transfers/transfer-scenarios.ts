import { playTransfers } from './play-transfers.ts';
import type { PeerFault, PeerNature } from './sim-peers.ts';
import type { TransferPlay, TransferResult } from './transfer-play.ts';

/** What is played, and what has to come of it besides that nothing happens that never may. */
export interface TransferScenario {
  readonly name: string;
  readonly play: Omit<TransferPlay, 'seed'>;
  /** What is wrong with the result. */
  readonly problems: (result: TransferResult) => readonly (string | false)[];
}

const GOOD: PeerNature = { faults: [], has: 1 };
const bad = (...faults: readonly PeerFault[]): PeerNature => ({ faults, has: 1 });
/** It gives wrong bytes of layers only. */
const LIAR: PeerNature = { ...bad('wrong-bytes'), isRightIfVerified: true };
const limit = (what: string, value: number, most: number): string | false =>
  value > most && `${what}: ${value}, at most ${most} are allowed`;
/** Nothing comes from upstream where a good peer has all. */
const fromPeers = ({ upstreamShare }: TransferResult): string | false =>
  limit('share of upstream', upstreamShare, 0.02);

/** Played by the tests, and by run-transfers.ts --scenarios. */
export const TRANSFER_SCENARIOS: readonly TransferScenario[] = [
  {
    name: 'good peers',
    play: { pulls: 20, peers: [GOOD, GOOD, GOOD, GOOD, GOOD, GOOD], refusalRule: 'keeps', parallel: 2 },
    problems: (result) => [fromPeers(result), limit('tries', result.mostTries, 1)],
  },
  {
    name: 'a liar among good peers',
    play: { pulls: 30, peers: [LIAR, GOOD, GOOD], layerSizes: 'large', refusalRule: 'removes' },
    // Two blobs, and what else was on its way from it by then.
    problems: (result) => [fromPeers(result), limit('wrong blobs of the liar', result.wrongOf[0] ?? 0, 5)],
  },
  {
    name: 'no peer but a liar',
    play: { pulls: 6, peers: [LIAR], layers: 1, layerSizes: 'large', refusalRule: 'keeps' },
    problems: (result) => [
      limit('tries', result.mostTries, 2),
      limit('wrong blobs of the liar', result.wrongOf[0] ?? 0, 2),
    ],
  },
  {
    name: 'no peer but a liar that ends early',
    play: {
      pulls: 20,
      peers: [{ ...LIAR, faults: ['wrong-bytes', 'ends-early'] }],
      layers: 1,
      layerSizes: 'large',
      refusalRule: 'keeps',
    },
    problems: (result) => [limit('tries', result.mostTries, 2)],
  },
  {
    name: 'a disk that rots',
    play: {
      pulls: 30,
      peers: [{ ...LIAR, rots: 0.3, isHonest: true }],
      layerSizes: 'large',
      refusalRule: 'keeps',
      restMs: 100,
    },
    problems: (result) => [limit('tries', result.mostTries, 4)],
  },
  {
    name: 'liars named by towers',
    play: {
      pulls: 12,
      peers: [LIAR, { ...LIAR, has: 0.5, rots: 0.5 }],
      images: 3,
      layers: 2,
      layerSizes: 'large',
      refusalRule: 'removes',
      hasFlights: true,
      // Longer than what came through a flight is remembered.
      againMs: 70_000,
    },
    problems: (result) => [limit('tries', result.mostTries, 5)],
  },
  {
    name: 'liars with small blobs',
    play: {
      pulls: 30,
      peers: [bad('wrong-bytes'), GOOD, { ...GOOD, faults: ['wrong-bytes'], flapMs: 3000 }],
      layerSizes: 'small',
      layers: 6,
      refusalRule: 'keeps',
    },
    problems: (result) => [fromPeers(result), limit('tries', result.mostTries, 1)],
  },
  {
    name: 'many small blobs',
    play: {
      pulls: 40,
      peers: [GOOD, GOOD],
      layerSizes: 'small',
      layers: 6,
      parallel: 4,
      refusalRule: 'keeps',
    },
    problems: (result) => [fromPeers(result)],
  },
  {
    name: 'wrong sizes and heads',
    play: {
      pulls: 30,
      peers: [
        bad('wrong-size'),
        bad('wrong-length'),
        bad('wrong-digest'),
        bad('no-digest'),
        bad('no-length'),
        bad('unsatisfiable'),
        GOOD,
        GOOD,
      ],
      refusalRule: 'removes',
    },
    problems: (result) => [
      limit('tries', result.mostTries, 1),
      // Each is left alone for a while each time.
      limit('requests to wrong peers', Math.max(...result.askedOf.slice(0, 6)), 15),
    ],
  },
  {
    name: 'bodies that break',
    play: {
      pulls: 30,
      peers: [
        bad('stalls'),
        bad('ends-early'),
        bad('breaks'),
        bad('drips'),
        bad('stalls-at-once'),
        GOOD,
        GOOD,
      ],
      layerSizes: 'large',
      refusalRule: 'keeps',
    },
    problems: (result) => [fromPeers(result), limit('bodies broken off', result.brokenOff, 0)],
  },
  {
    name: 'peers that stall at once alone',
    play: {
      pulls: 20,
      // Four requests of containerd try twelve of them.
      peers: Array.from({ length: 15 }, () => bad('stalls-at-once')),
      refusalRule: 'keeps',
    },
    problems: (result) => [limit('tries', result.mostTries, 1)],
  },
  {
    name: 'a dead peer and a good one',
    play: { pulls: 60, peers: [bad('dead'), GOOD], layers: 2, restMs: 200, refusalRule: 'keeps' },
    // It is left alone for 1, 2, 4 s, and so on.
    problems: (result) => [fromPeers(result), limit('requests to the dead peer', result.askedOf[0] ?? 0, 15)],
  },
  {
    name: 'a slow peer and a good one',
    play: {
      pulls: 60,
      peers: [bad('drips'), GOOD],
      layerSizes: 'large',
      restMs: 200,
      refusalRule: 'keeps',
    },
    problems: (result) => [fromPeers(result), limit('requests to the slow peer', result.askedOf[0] ?? 0, 20)],
  },
  {
    name: 'a slow peer alone',
    play: { pulls: 60, peers: [bad('slow')], layerSizes: 'large', restMs: 200, refusalRule: 'keeps' },
    // It is left alone for 30 s, 1 min, and so on.
    problems: (result) => [
      limit('tries', result.mostTries, 1),
      limit('requests to the slow peer', result.askedOf[0] ?? 0, 50),
    ],
  },
  {
    name: 'digests that are absent or wrong alone',
    play: { pulls: 10, peers: [bad('no-digest'), bad('wrong-digest')], refusalRule: 'keeps' },
    problems: (result) => [result.upstreamShare < 1 && 'bytes of an answer without its digest were taken'],
  },
  {
    name: 'all dead',
    play: {
      pulls: 20,
      peers: [bad('dead'), bad('dead-machine'), bad('silent'), bad('hangs-up'), bad('garbage')],
      refusalRule: 'keeps',
    },
    problems: (result) => [
      limit('tries', result.mostTries, 1),
      limit('requests to peers', result.asked, 600),
    ],
  },
  {
    name: 'silent peers alone',
    play: {
      pulls: 5,
      peers: Array.from({ length: 12 }, () => bad('silent')),
      layers: 1,
      refusalRule: 'keeps',
    },
    problems: (result) => [limit('tries', result.mostTries, 1)],
  },
  {
    name: 'a flood of peers that do not exist',
    play: {
      pulls: 140,
      peers: [bad('absent')],
      invented: 20,
      images: 30,
      layerSizes: 'small',
      restMs: 100,
      refusalRule: 'keeps',
    },
    problems: (result) => [
      limit('tries', result.mostTries, 1),
      limit('requests for one', result.mostAsked, 25),
    ],
  },
  {
    name: 'holders that come and go',
    play: {
      pulls: 40,
      peers: Array.from({ length: 6 }, () => ({ faults: ['dead'], has: 0.6, flapMs: 4000 }) as const),
      turns: 1,
      strayRecords: 0.3,
      parallel: 2,
      refusalRule: 'removes',
    },
    problems: (result) => [limit('tries', result.mostTries, 1)],
  },
];

/** Plays one; `problems` is empty when all is well. */
export async function playScenario(
  { play, problems }: TransferScenario,
  how: Pick<TransferPlay, 'seed' | 'trace'>,
): Promise<{ readonly result: TransferResult; readonly problems: readonly string[] }> {
  const result = await playTransfers({ ...play, ...how });
  const goals = problems(result).filter((problem) => problem !== false);
  return { result, problems: [...result.violations, ...goals] };
}
