import { keyspacePosition } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProvidersAnswer } from '../wire/get-providers-message.ts';
import type { Timers } from '../../runtime/timers.ts';
import { LOOKUP_CONCURRENCY, REPLICATION, SLOW_ANSWER_MS } from '../limits.ts';

/**
 * Peers of those closest to a key whose answers decide that nobody provides it. All k of them hold each record; one
 * may lack it for a moment, and each more costs its share of a millisecond on two nodes.
 */
const LOOKUP_QUORUM = 3;

/** The network as a walk sees it. */
export interface WalkNetwork {
  /** This node, which is not asked. */
  readonly self: NamedPeer;
  /** The k known peers that are closest to the place in the keyspace, the closest one first. */
  closestPeers(position: Uint8Array): readonly NamedPeer[];
  /** Asks a peer who provides the content. Rejects when it does not answer. */
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

/** Who is told what a walk finds. */
export interface WalkListeners {
  /** Called with the providers of each answer that names any; the same one may be named by several. */
  readonly onProviders: (providers: readonly NamedPeer[]) => void;
  /** Called once, when there is nobody left to ask. */
  readonly onEnd: () => void;
}

interface Candidate {
  readonly peer: NamedPeer;
  /** Whether its answer counts when it says that it knows nobody. */
  readonly counts: boolean;
  state: 'new' | 'asked' | 'answered' | 'failed';
  /** The XOR of its place and the content's; only computed where a peer that was named is to be put among them. */
  distance?: Uint8Array;
}

/**
 * Asks the peers that are closest to the content who provides it, and those closer ones whom they name, until the
 * closest few that are not new here have answered. Each record is at the k closest nodes, so that in a cluster of
 * up to k + 1 nodes anyone can say that a key is absent; the few are more than one because records are on their way at
 * times. A peer that is slow is not waited for: the next closest is asked in its place.
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
  /** Takes a peer that an answer names among those to ask, at its place. */
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

/** Those to start with: without the silent ones, unless all are. */
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
