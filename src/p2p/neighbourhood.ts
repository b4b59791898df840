import type { PeerId } from '@libp2p/interface';

import type { Logger } from '../observe/log.ts';
import { type Backoff, createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { KadNode } from './kad-node.ts';
import { MAX_KNOWN_PEERS, REPLICATION } from '../dht/limits.ts';
import {
  DIAL_TIMEOUT_MS,
  FAR_WALKS,
  LEARN_INITIAL_MS,
  LEARN_MAX_MS,
  PROBE_INITIAL_MS,
  PROBE_MAX_MS,
  RECONNECT_ATTEMPTS,
  RECONNECT_INITIAL_MS,
  RECONNECT_MAX_MS,
} from './limits.ts';

/** What createNeighbourhood needs. */
export interface NeighbourhoodDeps {
  readonly node: KadNode;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called when a peer that has lost its connection, or was probed, cannot be dialled. */
  readonly onUnreachable: (peer: PeerId) => void;
}

/** Keeps the connections true: learns who is in the cluster, dials again who was lost, and drops who has left. */
export interface Neighbourhood extends AsyncDisposable {
  /** Unix ms of the last contact with a peer that is not connected now. */
  lastContactMs(peerId: string): number | undefined;
  /** Looks for more peers: one has joined. */
  learn(): void;
  /** Tries to reach a peer that counts as gone, in the background and not often: it may have come back. */
  probe(peer: PeerId): void;
  /** Takes a peer that has said that it leaves, or does not answer, for gone: it is not dialled until it is probed. */
  drop(peer: PeerId): void;
  /** Forgets the last contact with peers that `keep` says no to. */
  forget(keep: (peerId: string) => boolean): void;
}

/**
 * Starts to look after the connections of the node.
 * kad-dht keeps a peer that has left until its bucket is full, and every walk then waits for it; so a peer that
 * loses its connection leaves the table at once, and comes back when it can be dialled again.
 */
export function createNeighbourhood({
  node,
  logger,
  clock,
  onUnreachable,
}: NeighbourhoodDeps): Neighbourhood {
  const { libp2p, dht, routingTable } = node;
  const stopped = new AbortController();
  const lastContact = new Map<string, number>();
  const reconnecting = new Map<string, Promise<void>>();
  /** When a peer may be probed again, and how long to wait after that. */
  const probes = new Map<string, { readonly notBeforeMs: number; readonly backoff: Backoff }>();
  /** Peers that said that they leave: the end of their connection is no loss. */
  const leaving = new Set<string>();
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

  const dial = async (peer: PeerId) => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
    try {
      await libp2p.dial(peer, { signal });
      return true;
    } catch {
      if (!stopped.signal.aborted) onUnreachable(peer);
      return false;
    }
  };
  const reconnect = async (peer: PeerId) => {
    const backoff = createBackoff({ initialMs: RECONNECT_INITIAL_MS, maxMs: RECONNECT_MAX_MS });
    await remove(peer);
    for (let attempt = 0; attempt < RECONNECT_ATTEMPTS; attempt++) {
      await clock.sleep(backoff.nextMs(), stopped.signal);
      if (libp2p.getConnections(peer).length > 0 || leaving.has(peer.toString())) return;
      if ((await dial(peer)) || stopped.signal.aborted) return;
    }
    logger.debug('A peer has left', { peer: peer.toString() });
  };
  const inBackground = (peer: PeerId, work: () => Promise<void>) => {
    const id = peer.toString();
    if (stopped.signal.aborted || reconnecting.has(id)) return;
    const running = work()
      .catch(() => {})
      .finally(() => reconnecting.delete(id));
    reconnecting.set(id, running);
  };
  const learnMore = () => {
    isStale = true;
    learning ??= learn();
  };

  const onConnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    probes.delete(peer.toString());
    leaving.delete(peer.toString());
  };
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    lastContact.set(peer.toString(), Date.now());
    if (leaving.delete(peer.toString())) void remove(peer);
    else inBackground(peer, async () => reconnect(peer));
  };
  libp2p.addEventListener('peer:connect', onConnect);
  libp2p.addEventListener('peer:disconnect', onDisconnect);

  return {
    lastContactMs: (peerId) => lastContact.get(peerId),
    learn: learnMore,
    probe(peer) {
      const id = peer.toString();
      const before = probes.get(id);
      const nowMs = clock.nowMs();
      if (before !== undefined && nowMs < before.notBeforeMs) return;
      const backoff = before?.backoff ?? createBackoff({ initialMs: PROBE_INITIAL_MS, maxMs: PROBE_MAX_MS });
      probes.delete(id);
      probes.set(id, { notBeforeMs: nowMs + backoff.nextMs(), backoff });
      const [oldest] = probes.keys();
      if (probes.size > MAX_KNOWN_PEERS && oldest !== undefined) probes.delete(oldest);
      inBackground(peer, async () => void (await dial(peer)));
    },
    drop(peer) {
      void remove(peer);
      if (libp2p.getConnections(peer).length === 0) return;
      leaving.add(peer.toString());
      for (const connection of libp2p.getConnections(peer)) {
        connection.abort(new Error('The peer has left, or does not answer'));
      }
    },
    forget(keep) {
      for (const peerId of lastContact.keys()) if (!keep(peerId)) lastContact.delete(peerId);
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      libp2p.removeEventListener('peer:connect', onConnect);
      libp2p.removeEventListener('peer:disconnect', onDisconnect);
      await Promise.allSettled([learning, ...reconnecting.values()]);
    },
  };
}
