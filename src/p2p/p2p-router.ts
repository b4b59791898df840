import type { Ed25519PrivateKey, Peer as StoredPeer } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';

import type { Logger } from '../observe/log.ts';
import type { PeerState, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { encodeProvider } from './add-provider-message.ts';
import type { BootstrapDocuments } from './bootstrap-document.ts';
import { createBootstrapNetwork } from './bootstrap-network.ts';
import type { Bootstrapper } from './bootstrapper.ts';
import { contentCid } from './content-key.ts';
import { createKadNode, type KadNode } from './kad-node.ts';
import {
  HOUSEKEEPING_INTERVAL_MS,
  KEEP_LOST_PEER_MS,
  KAD_PROTOCOL,
  MAX_BOOTSTRAP_PEERS,
  REPLICATION,
} from './limits.ts';
import { createProviderLookups } from './provider-lookups.ts';
import { createNeighbourhood, type Neighbourhood } from './neighbourhood.ts';
import { peerIps } from './peer-addresses.ts';
import { createProviderDatastore, type ProviderDatastore } from './provider-datastore.ts';
import { createProviding } from './providing.ts';
import { sendProviderRecords } from './send-provider-records.ts';
import { keepConnected } from './staying-connected.ts';
import { watchForTwins } from './watch-for-twins.ts';

/** What createP2pRouter needs. */
export interface P2pRouterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly bootstrapper: Bootstrapper;
  /** See loadIdentity. */
  readonly privateKey: Ed25519PrivateKey;
}

/** Settings of createP2pRouter. */
export interface P2pRouterOptions {
  /** --router-addr: `:5001`, `1.2.3.4:5001`, `[::1]:5001`. */
  readonly listenAddress: string;
  /** IPs that other nodes reach this one at, see announceableAddresses. At least one. */
  readonly announceAddresses: readonly string[];
  /** Takes peers at loopback addresses for what they are: for several nodes on one machine. Default false. */
  readonly allowLoopback?: boolean;
}

/** The router over libp2p's DHT. */
export interface P2pRouter extends Router, AsyncDisposable {
  /** What to serve on --http-bootstrap-addr: this node at /id, this node and up to 19 live peers at /ids. */
  bootstrapDocuments(): Promise<BootstrapDocuments>;
  /** Figures for metrics and the debug page. */
  stats(): P2pRouterStats;
  /** The peers (this node among them) that this node's own records name as providers of the key. Asks nobody. */
  recorded(key: string): readonly string[];
}

/** Figures of the router at this moment. */
export interface P2pRouterStats {
  readonly connectedPeers: number;
  /** Provider records that this node holds, its own included. */
  readonly providerRecords: number;
  /** Records that were refused for want of room since the start. */
  readonly refusedProviderRecords: number;
}

/**
 * Starts listening and bootstrapping, and returns the running router; ready() tells when it is of use.
 * Rejects when the port cannot be listened on; RangeError when an address makes no sense.
 */
export async function createP2pRouter(deps: P2pRouterDeps, options: P2pRouterOptions): Promise<P2pRouter> {
  const { logger, clock, bootstrapper, privateKey } = deps;
  if (options.announceAddresses.length === 0) {
    throw new RangeError('No address to announce: give this node an IP that is not loopback, or set NODE_IP');
  }
  const allowLoopback = options.allowLoopback ?? false;
  const datastore = createProviderDatastore();
  const node = await createKadNode({ privateKey, datastore }, options);
  const { libp2p, routingTable } = node;
  const self = libp2p.peerId.toString();
  const stopped = new AbortController();
  let isReady = false;

  const providing = createProviding(
    {
      logger,
      clock,
      network: {
        closestPeers: (position) => routingTable.closestPeers(position, { count: REPLICATION }).map(String),
        peerCount: () => routingTable.size,
        async send(peerId, multihashes, signal) {
          const provider = encodeProvider(
            libp2p.peerId.toMultihash().bytes,
            node.announced().map((address) => multiaddr(address).bytes),
          );
          await sendProviderRecords(libp2p, { to: peerIdFromString(peerId), provider, multihashes }, signal);
        },
        keepOwn: (multihash) => datastore.addRecord(multihash, self),
        dropOwn: (multihash) => datastore.removeRecord(multihash, self),
        gone: (peerId) => neighbourhood.drop(peerId),
      },
    },
    { replication: REPLICATION },
  );
  const lookups = createProviderLookups({ node, datastore, clock, allowLoopback });
  const neighbourhood = createNeighbourhood({
    node,
    logger,
    clock,
    onJoined: (peerId) => {
      lookups.peerJoined(peerId);
      providing.peerJoined(peerId);
    },
  });

  try {
    await libp2p.start();
    // libp2p writes its own addresses into the peer store a second later; until then it could not name itself as a provider.
    await libp2p.peerStore.patch(libp2p.peerId, {
      multiaddrs: node.announced().map((each) => multiaddr(each)),
    });
  } catch (cause) {
    lookups[Symbol.dispose]();
    await Promise.allSettled([
      libp2p.stop(),
      providing[Symbol.asyncDispose](),
      neighbourhood[Symbol.asyncDispose](),
    ]);
    throw new Error(`Cannot listen on ${options.listenAddress} for other nodes: is the port taken?`, {
      cause,
    });
  }
  logger.info('Router listens', { id: self, addresses: node.announced() });

  const network = createBootstrapNetwork(node, logger);
  watchForTwins({ libp2p, logger, clock }, stopped.signal);
  const onReady = () => {
    isReady = true;
    logger.info('Router is ready', { peers: routingTable.size });
  };
  const background = [
    keepConnected({ bootstrapper, network, logger, clock, onReady }, stopped.signal),
    keepHouse({ node, datastore, logger, clock, neighbourhood }, stopped.signal),
  ].map(async (work) => {
    await work.catch((error: unknown) => {
      if (!stopped.signal.aborted) logger.error('Routing stopped working, restart this node', { error });
    });
  });

  const liveState = (peer: StoredPeer): PeerState => {
    const id = peer.id.toString();
    const multiaddrs = peer.addresses.map((address) => address.multiaddr);
    const connected = libp2p.getConnections(peer.id).length > 0;
    const lastContactMs = neighbourhood.lastContactMs(id);
    return {
      id,
      addresses: peerIps(multiaddrs, allowLoopback),
      multiaddrs: multiaddrs.map((address) => address.decapsulateCode(CODE_P2P).toString()),
      connected,
      // libp2p pings each connection every 10 s and closes those that do not answer.
      lastSeenMs: connected ? 0 : lastContactMs === undefined ? undefined : Date.now() - lastContactMs,
    };
  };
  const peers = async () => {
    const stored = await libp2p.peerStore.all({
      filters: [(peer) => peer.protocols.includes(KAD_PROTOCOL)],
    });
    return stored.map(liveState);
  };

  return {
    ready: () => isReady,
    lookup: (key, lookupOptions) => lookups.lookup(key, lookupOptions),
    async advertise(keys, { signal } = {}) {
      await providing.provide(keys, signal);
    },
    async withdraw(keys) {
      providing.stop(keys);
    },
    peers,
    self: () => ({ id: self, multiaddrs: node.announced() }),
    async bootstrapDocuments() {
      const id = { ID: self, Addrs: node.announced() };
      const live = (await peers()).filter(({ connected, multiaddrs }) => connected && multiaddrs.length > 0);
      const others = live.slice(0, MAX_BOOTSTRAP_PEERS - 1);
      return { id, ids: [id, ...others.map((peer) => ({ ID: peer.id, Addrs: peer.multiaddrs }))] };
    },
    stats: () => ({
      connectedPeers: libp2p.getPeers().length,
      providerRecords: datastore.recordCount,
      refusedProviderRecords: datastore.refusedCount,
    }),
    recorded: (key) => datastore.providersOf(contentCid(key).multihash.bytes),
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      lookups[Symbol.dispose]();
      await Promise.allSettled([providing[Symbol.asyncDispose](), neighbourhood[Symbol.asyncDispose]()]);
      await Promise.all(background);
      await libp2p.stop();
    },
  };
}

/** What keepHouse needs. */
interface HouseDeps {
  readonly node: KadNode;
  readonly datastore: ProviderDatastore;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly neighbourhood: Neighbourhood;
}

/** Removes faded records and peers that are gone, so that memory does not grow with the restarts in the cluster. */
async function keepHouse(
  { node: { libp2p }, datastore, logger, clock, neighbourhood }: HouseDeps,
  signal: AbortSignal,
): Promise<void> {
  let refusedBefore = 0;
  while (!signal.aborted) {
    await clock.sleep(HOUSEKEEPING_INTERVAL_MS, signal);
    datastore.sweep();
    if (datastore.refusedCount > refusedBefore) {
      logger.warn('No room for more provider records', {
        records: datastore.recordCount,
        refused: datastore.refusedCount - refusedBefore,
      });
      refusedBefore = datastore.refusedCount;
    }
    const isNeeded = (peerId: string) =>
      datastore.isProvider(peerId) ||
      libp2p.getConnections(peerIdFromString(peerId)).length > 0 ||
      Date.now() - (neighbourhood.lastContactMs(peerId) ?? 0) < KEEP_LOST_PEER_MS;
    for (const { id } of await libp2p.peerStore.all()) {
      if (!isNeeded(id.toString())) await libp2p.peerStore.delete(id);
    }
    neighbourhood.forget(isNeeded);
  }
}
