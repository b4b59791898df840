import { MAX_KNOWN_PEERS } from '../limits.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How long a peer that is gone is remembered as that: until its records have faded everywhere. */
export const DEAD_FOR_MS = 19 * MINUTE_MS;
/** For so long after a loss all nodes are busy with it: they notice, ask anew, and try to reach who was lost. */
export const UNSETTLED_MS = 4 * SECOND_MS;

/**
 * What is known of whether a peer is there. `unknown`: never met, or too long ago to say. `suspect`: its connection
 * has just ended. `dead`: and it could not be reached again, or it said that it leaves.
 */
export type PeerLife = 'alive' | 'suspect' | 'dead' | 'unknown';

/** Who is there and who is not, as this node sees it; told to nobody else. Peers are named by any string. */
export interface Liveness {
  stateOf(peer: string): PeerLife;
  /** There is a connection to the peer. */
  connected(peer: string): void;
  /** The last connection to the peer has ended; unless it is a pending peer's, that is a loss. */
  lost(peer: string, isMember?: boolean): void;
  /** The connection to the peer has ended because there was no need for it: there is nothing to know of it. */
  parted(peer: string): void;
  /** A member has turned out not to be there. */
  noteLoss(): void;
  /** The peer cannot be reached, or has said that it leaves. */
  died(peer: string): void;
  /** For how many ms the peer has been in its state; undefined while that is unknown. */
  inStateMs(peer: string): number | undefined;
  /** True for a few seconds after a member was lost that had not said so before. */
  isUnsettled(): boolean;
  /** How many peers are in each state that is known. */
  counts(): Readonly<Record<Exclude<PeerLife, 'unknown'>, number>>;
}

interface PeerStory {
  readonly life: Exclude<PeerLife, 'unknown'>;
  /** When it got into this state. */
  readonly sinceMs: number;
  /** When something was last heard that speaks for it. */
  readonly heardMs: number;
}

/** What createLiveness needs. */
export interface LivenessDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
}

/**
 * Follows the peers. That a peer is dead is forgotten when its records have faded everywhere: it may have come back at
 * this node's blind side.
 */
export function createLiveness(
  { nowMs }: LivenessDeps,
  { maxPeers = MAX_KNOWN_PEERS }: { readonly maxPeers?: number } = {},
): Liveness {
  /** The one whose state changed last comes last. */
  const states = new Map<string, PeerStory>();
  let lastLossMs = -Infinity;
  const hasPassed = ({ life, heardMs }: PeerStory) => life !== 'alive' && nowMs() - heardMs > DEAD_FOR_MS;

  const set = (peer: string, life: Exclude<PeerLife, 'unknown'>) => {
    const before = states.get(peer);
    const heardMs = nowMs();
    states.delete(peer);
    states.set(peer, { life, sinceMs: before?.life === life ? before.sinceMs : heardMs, heardMs });
    if (states.size <= maxPeers) return;
    // Who is connected is never forgotten: connections have a bound of their own.
    for (const [name, state] of states) {
      if (state.life === 'alive') continue;
      states.delete(name);
      return;
    }
  };
  const noteLoss = () => {
    lastLossMs = nowMs();
  };
  return {
    noteLoss,
    stateOf(peer) {
      const state = states.get(peer);
      return state === undefined || hasPassed(state) ? 'unknown' : state.life;
    },
    inStateMs(peer) {
      const state = states.get(peer);
      return state === undefined || hasPassed(state) ? undefined : nowMs() - state.sinceMs;
    },
    connected: (peer) => set(peer, 'alive'),
    lost(peer, isMember = true) {
      if (states.get(peer)?.life === 'dead') return;
      if (isMember) noteLoss();
      set(peer, 'suspect');
    },
    parted: (peer) => void states.delete(peer),
    died: (peer) => set(peer, 'dead'),
    isUnsettled: () => nowMs() - lastLossMs < UNSETTLED_MS,
    counts() {
      const counts = { alive: 0, suspect: 0, dead: 0 };
      for (const state of states.values()) if (!hasPassed(state)) counts[state.life]++;
      return counts;
    },
  };
}
