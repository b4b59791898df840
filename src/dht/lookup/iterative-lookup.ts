import { keyspacePosition } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProvidersAnswer } from '../wire/get-providers-message.ts';
import type { Timers } from '../../runtime/timers.ts';
import { LOOKUP_CONCURRENCY, REPLICATION, SLOW_ANSWER_MS } from '../limits.ts';

/**
 * How many of the peers closest to a key have to answer before the key counts as not provided. All k closest peers hold
 * each record. A peer may lack it for a moment, and each more costs its share of a millisecond on two nodes.
 */
const LOOKUP_QUORUM = 3;

/** The network as a walk sees it. */
export interface WalkNetwork {
  /** This node, which is not asked. */
  readonly self: NamedPeer;
  /** The k known peers that are closest to the position in the keyspace, the closest first. */
  closestPeers(position: Uint8Array): readonly NamedPeer[];
  /** Asks a peer for the providers of the content. Rejects when it does not answer. */
  ask(peer: NamedPeer, multihash: Uint8Array): Promise<ProvidersAnswer>;
  /** True while it makes no sense to wait for the peer. */
  isSilent(peer: NamedPeer): boolean;
  /** The peer has not answered within SLOW_ANSWER_MS. */
  onSlow(peer: NamedPeer): void;
  /** True while the peer may not have all records yet that belong to it. */
  isFresh(peer: NamedPeer): boolean;
  readonly timers: Timers;
}

/** A walk under way. */
export interface IterativeLookup {
  /** Stops the walk at once, without onEnd. Answers that are still on the way are thrown away. */
  stop(): void;
}

/** Listen to what a walk finds. */
export interface WalkListeners {
  /** Called with the providers of each answer that names any. Several answers may name the same provider. */
  readonly onProviders: (providers: readonly NamedPeer[]) => void;
  /** Called once, when there is no peer left to ask. */
  readonly onEnd: () => void;
}

interface Candidate {
  readonly peer: NamedPeer;
  /** Whether its answer counts when it names no provider. */
  readonly counts: boolean;
  state: 'new' | 'asked' | 'answered' | 'failed';
  /** The XOR of its position and the content's. Only computed where a peer that was named is to be sorted in. */
  distance?: Uint8Array;
}

/**
 * Asks the peers that are closest to the content for its providers, and the closer peers that they name. Ends when the
 * closest few that are not new here have answered. Each record is at the k closest nodes: in a cluster of up to k + 1
 * nodes any peer can say that a key is absent. More than one peer is asked because records are on their way at times. A
 * peer that is slow is not waited for: the next closest is asked in its place.
 */
export function startIterativeLookup(
  network: WalkNetwork,
  multihash: Uint8Array,
  { onProviders, onEnd }: WalkListeners,
): IterativeLookup {
  const position = keyspacePosition(multihash);
  const candidates = firstCandidates(network, position);
  const known = new Set([network.self, ...candidates.map(({ peer }) => peer)].map(({ id }) => id.toHex()));
  const cancels = new Set<() => void>();
  let running = 0;
  let asked = 0;
  let hasEnded = false;

  const advance = () => {
    if (hasEnded) return;
    let counted = 0;
    for (const candidate of candidates) {
      if (counted >= LOOKUP_QUORUM || running >= LOOKUP_CONCURRENCY) break;
      if (candidate.state === 'new' && asked < REPLICATION) ask(candidate);
      if (candidate.counts && candidate.state !== 'failed') counted++;
    }
    if (running > 0) return;
    stop();
    onEnd();
  };
  const ask = (candidate: Candidate) => {
    asked++;
    running++;
    candidate.state = 'asked';
    const settle = (state: 'answered' | 'failed') => {
      cancel();
      cancels.delete(cancel);
      if (candidate.state === 'asked') running--;
      candidate.state = state;
    };
    const cancel = network.timers.after(SLOW_ANSWER_MS, () => {
      settle('failed');
      network.onSlow(candidate.peer);
      advance();
    });
    cancels.add(cancel);
    network.ask(candidate.peer, multihash).then(
      ({ providers, closer }) => {
        if (hasEnded) return;
        settle('answered');
        for (const peer of closer) meet(peer);
        if (providers.length > 0) onProviders(providers);
        advance();
      },
      () => {
        settle('failed');
        advance();
      },
    );
  };
  /** Sorts a peer that an answer names into the peers to ask, by its distance. */
  const meet = (peer: NamedPeer) => {
    const id = peer.id.toHex();
    if (known.has(id)) return;
    known.add(id);
    if (network.isSilent(peer)) return;
    const candidate: Candidate = { peer, counts: !network.isFresh(peer), state: 'new' };
    const distance = distanceTo(candidate, position);
    const place = candidates.findIndex((other) => Buffer.compare(distance, distanceTo(other, position)) < 0);
    candidates.splice(place === -1 ? candidates.length : place, 0, candidate);
  };
  const stop = () => {
    hasEnded = true;
    for (const cancel of cancels) cancel();
    cancels.clear();
  };
  // Not at once: the caller first gets what it stops the walk with.
  queueMicrotask(advance);
  return { stop };
}

/** The peers to start with: without the silent peers, unless all are silent. */
function firstCandidates(network: WalkNetwork, position: Uint8Array): Candidate[] {
  const closest = network.closestPeers(position);
  const awake = closest.filter((peer) => !network.isSilent(peer));
  const peers = awake.length > 0 ? awake : closest;
  return peers.map((peer) => ({ peer, counts: !network.isFresh(peer), state: 'new' }));
}

function distanceTo(candidate: Candidate, position: Uint8Array): Uint8Array {
  candidate.distance ??= keyspacePosition(candidate.peer.id).map(
    (byte, index) => byte ^ (position[index] ?? 0),
  );
  return candidate.distance;
}
