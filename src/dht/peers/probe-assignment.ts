import { isCloserTo } from '../wire/keyspace-distance.ts';
import { PING_AFTER_MS } from '../limits.ts';
import type { PeerTable } from './peer-table.ts';

const SECOND_MS = 1000;
/** And by the others, who would be needed only if the first one is gone, too. */
export const PING_NEXT_AFTER_MS = 4 * SECOND_MS;
/** Nodes whose turn it is: some may be busy, or not be connected to it. All asking would cost the square of their number. */
export const WATCHERS_PER_PEER = 3;
/** How often it is looked at whose turn it is to ask whom. */
export const PROBE_ASSIGNMENT_MS = 5 * SECOND_MS;

/** Whose turn it is to ask a peer whether it is there. */
export interface ProbeAssignment {
  /**
   * How long the peer may be quiet until this node asks it, in ms: Infinity where it is the turn of others, undefined where
   * it cannot be told whose it is: everybody asks then, less often.
   */
  askAfterMs(peer: string): number | undefined;
}

/** What createProbeAssignment needs. */
export interface ProbeAssignmentDeps {
  /** This node's place in the keyspace. */
  readonly position: Uint8Array;
  readonly peers: Pick<PeerTable, 'all' | 'size'>;
  /** True for a peer that can say that another one does not answer, and is believed to be there. */
  readonly canWatch: (peer: string) => boolean;
  /** True for a peer whose connection has just ended: it will be connected again soon, or is gone. */
  readonly isSuspect: (peer: string) => boolean;
  readonly nowMs: () => number;
}

/**
 * Makes the turns: a peer is asked by the few nodes that are closest to it in the keyspace, who tell the others. All
 * nodes that are connected to all others come to the same result without a word. One that is not connected to
 * everybody cannot know who is.
 */
export function createProbeAssignment({
  position,
  peers,
  canWatch,
  isSuspect,
  nowMs,
}: ProbeAssignmentDeps): ProbeAssignment {
  let mine: ReadonlyMap<string, number> | undefined;
  let [countedMs, countedPeers] = [-Infinity, 0];

  const count = (): ReadonlyMap<string, number> | undefined => {
    const all = [...peers.all()];
    if (all.some(({ name, isConnected }) => !isConnected && !isSuspect(name))) return undefined;
    const watchers = all.filter(({ name }) => canWatch(name));
    const turns = new Map<string, number>();
    for (const peer of all) {
      let closer = 0;
      for (const watcher of watchers) {
        if (watcher === peer || !isCloserTo(peer.position, watcher.position, position)) continue;
        closer++;
        if (closer >= WATCHERS_PER_PEER) break;
      }
      if (closer < WATCHERS_PER_PEER) turns.set(peer.name, closer === 0 ? PING_AFTER_MS : PING_NEXT_AFTER_MS);
    }
    return turns;
  };

  return {
    askAfterMs(peer) {
      if (nowMs() - countedMs >= PROBE_ASSIGNMENT_MS || peers.size !== countedPeers) {
        mine = count();
        [countedMs, countedPeers] = [nowMs(), peers.size];
      }
      return mine === undefined ? undefined : (mine.get(peer) ?? Infinity);
    },
  };
}
