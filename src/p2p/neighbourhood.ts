import { peerIdFromString } from '@libp2p/peer-id';
import type { PeerId } from '@libp2p/interface';

import type { Logger } from '../observe/log.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { KadNode } from './kad-node.ts';
import {
  DIAL_TIMEOUT_MS,
  FAR_WALKS,
  LEARN_INITIAL_MS,
  LEARN_MAX_MS,
  RECONNECT_ATTEMPTS,
  RECONNECT_INITIAL_MS,
  RECONNECT_MAX_MS,
  REPLICATION,
} from './limits.ts';

/** What createNeighbourhood needs. */
export interface NeighbourhoodDeps {
  readonly node: KadNode;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called for each peer that enters the routing table, also when it comes back. */
  readonly onJoined: (peerId: string) => void;
}

/** Keeps the routing table true: learns who is close, and drops who has left. */
export interface Neighbourhood extends AsyncDisposable {
  /** Unix ms of the last contact with a peer that is not connected now. */
  lastContactMs(peerId: string): number | undefined;
  /** Drops a peer that does not answer. */
  drop(peerId: string): void;
  /** Forgets the last contact with peers that `keep` says no to. */
  forget(keep: (peerId: string) => boolean): void;
}

/**
 * Starts to look after the routing table of the node.
 * kad-dht keeps a peer that has left until its bucket is full, and every walk then waits for it; so a peer that
 * loses its connection leaves the table at once, and comes back when it can be dialled again.
 */
export function createNeighbourhood({ node, logger, clock, onJoined }: NeighbourhoodDeps): Neighbourhood {
  const { libp2p, dht, routingTable } = node;
  const stopped = new AbortController();
  const lastContact = new Map<string, number>();
  const reconnecting = new Map<string, Promise<void>>();
  let learning: Promise<void> | undefined;
  let isStale = false;

  /** The answers on the way fill the routing table. */
  const walk = async (target: Uint8Array) => {
    for await (const _event of dht.getClosestPeers(target, { signal: stopped.signal }));
  };
  const learn = async () => {
    const backoff = createBackoff({ initialMs: LEARN_INITIAL_MS, maxMs: LEARN_MAX_MS });
    while (isStale && !stopped.signal.aborted) {
      isStale = false;
      try {
        await walk(libp2p.peerId.toMultihash().bytes);
        // With more nodes than one walk names, the far ones are learned (and connected) before a lookup needs them.
        const farWalks = routingTable.size < REPLICATION ? 0 : FAR_WALKS;
        for (let count = 0; count < farWalks; count++) await walk(crypto.getRandomValues(new Uint8Array(32)));
        await clock.sleep(backoff.nextMs(), stopped.signal);
      } catch (error) {
        if (!stopped.signal.aborted) logger.debug('Cannot learn the neighbourhood', { error });
      }
    }
    learning = undefined;
  };

  const remove = async (peer: PeerId) => {
    await routingTable.remove(peer).catch((error: unknown) => {
      logger.debug('Cannot drop a peer', { peer: peer.toString(), error });
    });
  };

  const reconnect = async (peer: PeerId) => {
    const backoff = createBackoff({ initialMs: RECONNECT_INITIAL_MS, maxMs: RECONNECT_MAX_MS });
    await remove(peer);
    for (let attempt = 0; attempt < RECONNECT_ATTEMPTS; attempt++) {
      await clock.sleep(backoff.nextMs(), stopped.signal);
      if (libp2p.getConnections(peer).length > 0) return;
      const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
      const connected = await libp2p.dial(peer, { signal }).then(
        () => true,
        () => false,
      );
      if (connected || stopped.signal.aborted) return;
    }
    logger.debug('A peer has left', { peer: peer.toString() });
  };

  const onAdd = (event: Event) => {
    const { detail } = event as CustomEvent<PeerId>;
    if (detail.equals(libp2p.peerId)) return;
    onJoined(detail.toString());
    isStale = true;
    learning ??= learn();
  };
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    const id = peer.toString();
    lastContact.set(id, Date.now());
    if (stopped.signal.aborted || reconnecting.has(id)) return;
    const work = reconnect(peer)
      .catch(() => {})
      .finally(() => reconnecting.delete(id));
    reconnecting.set(id, work);
  };
  routingTable.addEventListener('peer:add', onAdd);
  libp2p.addEventListener('peer:disconnect', onDisconnect);

  return {
    lastContactMs: (peerId) => lastContact.get(peerId),
    drop(peerId) {
      void remove(peerIdFromString(peerId));
    },
    forget(keep) {
      for (const peerId of lastContact.keys()) if (!keep(peerId)) lastContact.delete(peerId);
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      routingTable.removeEventListener('peer:add', onAdd);
      libp2p.removeEventListener('peer:disconnect', onDisconnect);
      await Promise.allSettled([learning, ...reconnecting.values()]);
    },
  };
}
