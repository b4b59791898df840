import { isCloserTo } from '../wire/keyspace-distance.ts';
import type { AssignRecords } from './assign-records.ts';
import { createDelayedRounds, type DelayedRoundsDeps } from './delayed-rounds.ts';
import type { Outboxes } from './outboxes.ts';
import type { ProvidedKey, ProvidedKeys } from './provided-keys.ts';
import type { Reprovider, ReproviderNetwork, ReproviderOptions } from './reprovider-contract.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** New peers are gathered for this long before they get records, so that a starting cluster costs few rounds. */
export const NEW_PEER_DELAY_MS = 300;
/** After so long a peer that was only named gets its records: that takes a connection, and it may come by itself. */
const NAMED_PEER_DELAY_MS = 10 * SECOND_MS;
/** A peer that is gone for longer will not be back with its records: a restart takes less. */
const LEFT_PEER_DELAY_MS = MINUTE_MS;
/** Up to so many peers, each is tested for whether it is among the closest to a key. */
const FEW_PEERS = 8;

/** What peers come and go means for records that were provided before. */
export interface PeerChanges extends Pick<
  Reprovider,
  'peerJoined' | 'peerNamed' | 'peerLeft' | 'peerParted'
> {
  /** True while the peer, which has joined, is about to get the records that belong to it. */
  isExpecting(peerId: string): boolean;
}

/** What createPeerChanges needs. */
export interface PeerChangesDeps extends DelayedRoundsDeps {
  readonly network: Pick<ReproviderNetwork, 'closestPeers' | 'isAmongClosest' | 'positionOf' | 'peerCount'>;
  readonly keys: Pick<ProvidedKeys, 'size' | 'names'>;
  readonly outboxes: Pick<Outboxes, 'put'>;
  readonly assign: AssignRecords;
}

/** Peers are gathered for a while each, and the records of all keys are looked through for all of them together. */
export function createPeerChanges(
  { network, keys, outboxes, assign, ...rounds }: PeerChangesDeps,
  {
    replication,
    newPeerDelayMs = NEW_PEER_DELAY_MS,
    namedPeerDelayMs = NAMED_PEER_DELAY_MS,
    leftPeerDelayMs = LEFT_PEER_DELAY_MS,
  }: Pick<ReproviderOptions, 'replication' | 'newPeerDelayMs' | 'namedPeerDelayMs' | 'leftPeerDelayMs'>,
): PeerChanges {
  const newPeers = new Set<string>();
  /** Peers that were only named. */
  const namedPeers = new Set<string>();
  /** Peers that have left, with their positions in the keyspace. */
  const leftPeers = new Map<string, Uint8Array>();
  const closestTo = ({ position }: ProvidedKey) => network.closestPeers(position, replication);

  /** Gives the peers what belongs to them, and empties the set. */
  const provideTo = async (peers: Set<string>) => {
    const batch = new Set(peers);
    peers.clear();
    if (network.peerCount() <= replication) {
      for (const peerId of batch) if (keys.size > 0) outboxes.put(peerId, [...keys.names()]);
      return;
    }
    // Of few peers it is quickly told whether they are among the closest.
    const few = batch.size <= FEW_PEERS ? [...batch] : undefined;
    await assign(
      keys.names(),
      (key) =>
        few?.filter((peerId) => network.isAmongClosest(peerId, key.position, replication)) ??
        closestTo(key).filter((peerId) => batch.has(peerId)),
    );
  };
  /** Gives the records of peers that have left to the peers that are among the closest now. */
  const replaceLeftPeers = async () => {
    const left = [...leftPeers.values()];
    leftPeers.clear();
    if (network.peerCount() < replication) return;
    await assign(keys.names(), (key) => {
      const closest = closestTo(key);
      // The last of the k are new to the key if peers that have left were closer; as many as have left.
      const last = closest.at(-1);
      const lastPosition = last === undefined ? undefined : network.positionOf(last);
      if (lastPosition === undefined) return [];
      const moved = left.filter((position) => isCloserTo(key.position, position, lastPosition)).length;
      return moved === 0 ? [] : closest.slice(-moved);
    });
  };

  const startNewPeers = createDelayedRounds(rounds, {
    delayMs: newPeerDelayMs,
    hasWork: () => newPeers.size > 0,
    work: async () => provideTo(newPeers),
  });
  const startNamedPeers = createDelayedRounds(rounds, {
    delayMs: namedPeerDelayMs,
    hasWork: () => namedPeers.size > 0,
    work: async () => provideTo(namedPeers),
  });
  const startLeftPeers = createDelayedRounds(rounds, {
    delayMs: leftPeerDelayMs,
    hasWork: () => leftPeers.size > 0,
    work: replaceLeftPeers,
  });
  const peerNamed = (peerId: string) => {
    if (keys.size === 0) return;
    namedPeers.add(peerId);
    startNamedPeers();
  };

  return {
    peerJoined(peerId) {
      leftPeers.delete(peerId);
      namedPeers.delete(peerId);
      newPeers.add(peerId);
      startNewPeers();
    },
    peerNamed,
    peerLeft(peerId, position) {
      newPeers.delete(peerId);
      namedPeers.delete(peerId);
      leftPeers.set(peerId, position);
      startLeftPeers();
    },
    peerParted(peerId) {
      if (newPeers.delete(peerId)) peerNamed(peerId);
    },
    isExpecting: (peerId) => newPeers.has(peerId),
  };
}
