import { createRandom, type Random } from '../random.ts';
import type { FlightPlay, FlightResult, PlayedFault } from './play-flight.ts';

const SECOND_MS = 1000;
const KINDS = ['kill', 'stop', 'machine', 'hang', 'slow', 'cancel'] as const;
const TARGETS = ['root', 'parent', 'tower', 'second-tower'] as const;
const MAX_FAULTS = 3;
/** No request is held for longer: containerd 2.3 waits 30 s. */
const HELD_MS = 29 * SECOND_MS;

/** Some pull, with whatever may go wrong, by its seed. */
export function randomPlay(seed: number): FlightPlay {
  const random = createRandom(seed).fork(99);
  const between = (least: number, most: number) => least + Math.floor(random.next() * (most - least + 1));
  const linkMbits = pick(random, [100, 1000, 10_000]);
  return {
    seed,
    slotRule: pick(random, ['per-layer', 'per-request']),
    nodes: between(3, 12),
    layers: pick(random, [1, 2, 4, 8, 20]),
    imageMib: between(2, 150),
    linkMbits,
    upstreamMbits: linkMbits * pick(random, [0.05, 0.2, 1, 2]),
    connectionMbits: random.next() < 1 / 4 ? linkMbits / 20 : undefined,
    spreadMs: pick(random, [10, SECOND_MS, 5 * SECOND_MS]),
    images: random.next() < 1 / 4 ? 2 : 1,
    holders: random.next() < 1 / 6 ? 1 : 0,
    bystanders: random.next() < 1 / 3 ? 1 : 0,
    unseenShare: random.next() < 1 / 6 ? 0.2 : 0,
    faults: Array.from({ length: between(0, MAX_FAULTS) }, () => randomFault(random)),
  };
}

/** What went wrong that never may, whatever the faults. */
export function randomProblems({ failed, violations, longestHeldMs }: FlightResult): readonly string[] {
  return [
    ...violations.slice(0, 3),
    ...(failed > 0 ? [`failed or endless pulls: ${failed}`] : []),
    ...(longestHeldMs > HELD_MS ? [`a request was held for ${Math.round(longestHeldMs)} ms`] : []),
  ];
}

function randomFault(random: Random): PlayedFault {
  const kind = pick(random, KINDS);
  const mends = kind === 'hang' || kind === 'cancel' || (kind === 'kill' && random.next() < 1 / 2);
  return {
    kind,
    target: pick(random, TARGETS),
    atShare: random.next(),
    mendedAfterMs: mends ? random.next() * 4 * SECOND_MS : undefined,
  };
}

function pick<T>(random: Random, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random.next() * values.length)] ?? values[0];
}
