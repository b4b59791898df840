import type { Random } from '../sim/random.ts';

const KIB = 1024;
/** Longest body, in bytes. */
export const MAX_BODY_BYTES = 2048 * KIB;

/** What happens to one request, from end to end. */
export interface RequestPlan {
  /** The body is this part of the whole. */
  readonly start: number;
  readonly sizeBytes: number;
  readonly source: 'file' | 'growing-file' | 'peer';
  /** What the source does at a byte of the body, instead of giving the rest. `more`: it gives more than it promised. */
  readonly sourceEnds: 'whole' | 'early' | 'reset' | 'stall' | 'more';
  readonly sourceEndsAt: number;
  /** What the handler does at a byte of the body. */
  readonly handler: 'moves' | 'cancels' | 'breaks-off';
  readonly handlerAt: number;
  /** Whether the handler goes on with another source where one broke, or breaks the response off. */
  readonly goesOn: boolean;
  /** What the client does at a byte of the body. */
  readonly client: 'reads' | 'pauses' | 'half-closes' | 'closes' | 'resets' | 'stalls';
  readonly clientAt: number;
  /** How long it pauses, or stalls before it leaves, in ms. */
  readonly clientMs: number;
  /** Other readers follow what is moved, for a while. */
  readonly isFollowed: boolean;
}

/** Decides a request by chance: three of five go well from end to end. */
export function planRequest(random: Random): RequestPlan {
  const sizeBytes = 1 + random.below(random.pick([4 * KIB, 128 * KIB, 512 * KIB, 512 * KIB, MAX_BODY_BYTES]));
  const at = () => random.below(sizeBytes + 1);
  const source = random.pick(['file', 'growing-file', 'peer', 'peer'] as const);
  const chance = random.next();
  const isBroken = chance < 0.15;
  const isStopped = chance >= 0.15 && chance < 0.22;
  const isLeft = chance >= 0.22 && chance < 0.4;
  const ends = {
    file: ['whole'],
    'growing-file': ['early', 'stall'],
    peer: ['early', 'reset', 'reset', 'stall', 'more'],
  } as const;
  return {
    start: random.below(MAX_BODY_BYTES - sizeBytes + 1),
    sizeBytes,
    source,
    sourceEnds: isBroken ? random.pick<RequestPlan['sourceEnds']>(ends[source]) : 'whole',
    sourceEndsAt: at(),
    handler: isStopped ? random.pick(['cancels', 'breaks-off'] as const) : 'moves',
    handlerAt: at(),
    goesOn: random.next() < 0.7,
    client: isLeft
      ? random.pick(['pauses', 'half-closes', 'closes', 'resets', 'resets', 'stalls'] as const)
      : 'reads',
    clientAt: at(),
    clientMs: random.below(30),
    isFollowed: random.next() < 0.1,
  };
}
