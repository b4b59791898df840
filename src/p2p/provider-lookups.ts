import type { PeerId } from '@libp2p/interface';
import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id';
import { decode as decodeMultihash } from 'multiformats/hashes/digest';

import type { LookupOptions, Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { contentCid } from './content-key.ts';
import type { NamedPeer } from './get-providers-message.ts';
import type { KadNode } from './kad-node.ts';
import { FRESH_PEER_MS, REPLICATION } from './limits.ts';
import { parseAddress, peerIps } from './peer-addresses.ts';
import type { ProviderDatastore } from './provider-datastore.ts';
import { createProviderQueries } from './provider-queries.ts';
import { startProviderWalk } from './provider-walk.ts';
import { createSharedSearches } from './shared-searches.ts';

/** What createProviderLookups needs. */
export interface ProviderLookupsDeps {
  readonly node: Pick<KadNode, 'libp2p' | 'routingTable'>;
  readonly datastore: Pick<ProviderDatastore, 'providersOf'>;
  readonly clock: Clock;
  readonly allowLoopback: boolean;
}

/** Looks up who provides what. */
export interface ProviderLookups extends Disposable {
  /**
   * Yields the peers that provide the key as they are found: those that this node keeps a record of first, then
   * the network's. Ends when the signal aborts, without throwing.
   */
  lookup(key: string, options: LookupOptions): AsyncGenerator<Peer, void, undefined>;
  /** Tells of a peer that entered the routing table. */
  peerJoined(peerId: string): void;
}

/** Makes the lookups of a node. */
export function createProviderLookups({
  node: { libp2p, routingTable },
  datastore,
  clock,
  allowLoopback,
}: ProviderLookupsDeps): ProviderLookups {
  const selfId = libp2p.peerId.toString();
  const self = named(libp2p.peerId);
  const queries = createProviderQueries({ libp2p, allowLoopback });
  /** Hex of the peer's ID -> when it was met, the latest last. */
  const metMs = new Map<string, number>();
  const searches = createSharedSearches<Uint8Array, Peer>((multihash, { found, ended }) =>
    startProviderWalk(
      {
        self,
        closestPeers: (position) => routingTable.closestPeers(position, { count: REPLICATION }).map(named),
        ask: async (peer, key) => queries.ask(peer, key),
        isSilent: (peer) => queries.isSilent(peer),
        isFresh: ({ id }) => clock.nowMs() - (metMs.get(id.toHex()) ?? -Infinity) < FRESH_PEER_MS,
      },
      multihash,
      {
        onProviders: (providers) =>
          found(providers.flatMap((provider) => parseProvider(provider, allowLoopback))),
        onEnd: ended,
      },
    ),
  );

  const recorded = async (multihash: Uint8Array, limit: number) => {
    const peers: Peer[] = [];
    for (const id of datastore.providersOf(multihash)) {
      if (id === selfId) continue;
      if (peers.length >= limit) break;
      // A provider may be gone from the peer store before its record fades.
      const stored = await libp2p.peerStore.get(peerIdFromString(id)).catch(() => undefined);
      const addresses = peerIps(stored?.addresses.map(({ multiaddr }) => multiaddr) ?? [], allowLoopback);
      if (addresses.length > 0) peers.push({ id, addresses });
    }
    return peers;
  };

  return {
    async *lookup(key, { signal, limit }) {
      if (signal.aborted || limit < 1) return;
      const multihash = contentCid(key).multihash.bytes;
      const seen = new Set([selfId]);
      for (const peer of await recorded(multihash, limit)) {
        if (signal.aborted) return;
        seen.add(peer.id);
        yield peer;
      }
      if (signal.aborted || seen.size > limit) return;
      for await (const peer of searches.join(key, multihash, signal)) {
        if (seen.has(peer.id)) continue;
        seen.add(peer.id);
        yield peer;
        if (signal.aborted || seen.size > limit) return;
      }
    },
    peerJoined(peerId) {
      const peer = peerIdFromString(peerId);
      queries.heard(peer);
      const nowMs = clock.nowMs();
      for (const [id, ms] of metMs) {
        if (nowMs - ms < FRESH_PEER_MS) break;
        metMs.delete(id);
      }
      const id = named(peer).id.toHex();
      metMs.delete(id);
      metMs.set(id, nowMs);
    },
    [Symbol.dispose]() {
      queries[Symbol.dispose]();
    },
  };
}

function named(peer: PeerId): NamedPeer {
  return { id: peer.toMultihash().bytes, addresses: [] };
}

/** The provider as others see it; none when its ID makes no sense or no address of it can be reached. */
function parseProvider({ id, addresses }: NamedPeer, allowLoopback: boolean): readonly Peer[] {
  const multiaddrs = addresses.flatMap((bytes) => parseAddress(bytes) ?? []);
  try {
    const ips = peerIps(multiaddrs, allowLoopback);
    return ips.length === 0
      ? []
      : [{ id: peerIdFromMultihash(decodeMultihash(id)).toString(), addresses: ips }];
  } catch {
    return [];
  }
}
