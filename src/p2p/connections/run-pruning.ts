import type { Libp2p } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';

import type { DhtNode } from '../../dht/dht-node-contract.ts';
import type { Clock } from '../../runtime/clock.ts';
import { DIAL_TIMEOUT_MS } from '../limits.ts';
import { nameOf } from '../peer-names.ts';
import { spareConnections } from './connection-pruner.ts';
import type { PeerConnections } from './peer-connections.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How often it prunes. Looking through all peers costs a millisecond a peer. */
const PRUNE_INTERVAL_MS = 10 * MINUTE_MS;
/** How long a peer that was lost is remembered: it may be the only way back when all are lost. */
const KEEP_LOST_PEER_MS = 60 * MINUTE_MS;

/** What runPruning needs. */
export interface PruningDeps {
  readonly libp2p: Pick<Libp2p, 'peerId' | 'peerStore' | 'getConnections'>;
  readonly dht: Pick<DhtNode, 'isProvider'>;
  readonly peerConnections: Pick<PeerConnections, 'sinceContactMs' | 'forget'>;
  readonly clock: Pick<Clock, 'sleep'>;
}

/**
 * Every few minutes takes peers that are gone out of the peer store, and ends spare connections. So memory does not
 * grow with the restarts in the cluster. Goes on until the signal aborts; then it rejects with its reason.
 */
export async function runPruning(deps: PruningDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await deps.clock.sleep(PRUNE_INTERVAL_MS, signal);
    await prunePeers(deps);
    pruneConnections(deps);
  }
}

/** Forgets peers that are not connected, provide nothing that this node's records name, and were lost long ago. */
async function prunePeers({ libp2p, dht, peerConnections }: PruningDeps): Promise<void> {
  const isNeeded = (peerId: string) => {
    const peer = peerIdFromString(peerId);
    return (
      dht.isProvider(nameOf(peer)) ||
      libp2p.getConnections(peer).length > 0 ||
      (peerConnections.sinceContactMs(peerId) ?? Infinity) < KEEP_LOST_PEER_MS
    );
  };
  for (const { id } of await libp2p.peerStore.all()) {
    if (!isNeeded(id.toString())) await libp2p.peerStore.delete(id);
  }
  peerConnections.forget(isNeeded);
}

/** Leaves one connection to each peer. */
function pruneConnections({ libp2p }: PruningDeps): void {
  const spare = spareConnections(libp2p.getConnections(), {
    self: libp2p.peerId.toString(),
    // As libp2p writes down when a connection was opened.
    nowMs: Date.now(),
    youngMs: DIAL_TIMEOUT_MS,
  });
  // What is asked on them just now is asked again on the connection that is left.
  for (const connection of spare) connection.abort(new Error('There is another connection to the peer'));
}
