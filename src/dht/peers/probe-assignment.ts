import { isCloserTo } from '../wire/keyspace-distance.ts';
import { PING_AFTER_MS } from '../limits.ts';
import type { PeerTable } from './peer-table.ts';

const SECOND_MS = 1000;
/**
 * The other nodes that a peer is assigned to probe it after so long: they are needed only if the first is gone, too.
 */
export const PING_NEXT_AFTER_MS = 4 * SECOND_MS;
/**
 * Nodes that probe a peer: some may be busy, or not connected to it. If all did, it would cost the square of their
 * number.
 */
export const WATCHERS_PER_PEER = 3;
/** How often the probes are assigned anew. */
export const PROBE_ASSIGNMENT_MS = 5 * SECOND_MS;

/** Which nodes probe a peer. */
export interface ProbeAssignment {
  /**
   * How long the peer may be quiet until this node probes it, in ms. Infinity where its probes are assigned to others;
   * undefined where it cannot be told to which nodes: then all nodes probe it, less often.
   */
  askAfterMs(peer: string): number | undefined;
}

/** What createProbeAssignment needs. */
export interface ProbeAssignmentDeps {
  /** This node's position in the keyspace. */
  readonly position: Uint8Array;
  readonly peers: Pick<PeerTable, 'all' | 'size'>;
  /** True for a peer that can say that another peer does not answer, and is believed to be there. */
  readonly canWatch: (peer: string) => boolean;
  /** True for a peer whose connection has just ended: it will be connected again soon, or is gone. */
  readonly isSuspect: (peer: string) => boolean;
  readonly nowMs: () => number;
}

/**
 * Assigns the probes: a peer is probed by the few nodes that are closest to it in the keyspace, and they tell the
 * others. All nodes that are connected to all others come to the same result without a word. A node that is not
 * connected to all others cannot know which nodes are.
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
