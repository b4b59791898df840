import type { Ed25519PrivateKey, PeerId, Peer as StoredPeer } from '@libp2p/interface';
import { peerIdFromMultihash, peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { CODE_P2P } from '@multiformats/multiaddr';
import { decode as decodeMultihash } from 'multiformats/hashes/digest';

import { encodeAddProviders } from '../dht/add-provider-message.ts';
import { contentMultihash } from '../dht/content-key.ts';
import { encodePeer } from '../dht/dht-message.ts';
import { createDhtResponder } from '../dht/dht-responder.ts';
import { REPLICATION } from '../dht/limits.ts';
import { createLiveness } from '../dht/liveness.ts';
import { createPeerTable } from '../dht/peer-table.ts';
import { createProviderLookups } from '../dht/provider-lookups.ts';
import { createProviderRecords, type ProviderRecords } from '../dht/provider-records.ts';
import { createProviding } from '../dht/providing.ts';
import type { Logger } from '../observe/log.ts';
import type { PeerState, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { formatIp } from '../runtime/ip-address.ts';
import { systemTimers } from '../runtime/timers.ts';
import type { BootstrapDocuments } from './bootstrap-document.ts';
import { createBootstrapNetwork } from './bootstrap-network.ts';
import type { Bootstrapper } from './bootstrapper.ts';
import { createKadNode, type KadNode } from './kad-node.ts';
import { HOUSEKEEPING_INTERVAL_MS, KAD_PROTOCOL, KEEP_LOST_PEER_MS, MAX_BOOTSTRAP_PEERS } from './limits.ts';
import { followMembership } from './follow-membership.ts';
import type { Membership, MembershipStats } from './membership.ts';
import { createNetworkMembership } from './network-membership.ts';
import { createNeighbourhood, type Neighbourhood } from './neighbourhood.ts';
import { peerIps } from './peer-addresses.ts';
import { addressBytes, createPeerDirectory, nameOf, type PeerDirectory } from './peer-directory.ts';
import { createProviderQueries } from './provider-queries.ts';
import { serveDhtStreams } from './serve-dht-streams.ts';
import { keepConnected } from './staying-connected.ts';
import { createToProvider } from './to-provider.ts';
import { watchForTwins } from './watch-for-twins.ts';

/** What createP2pRouter needs. */
export interface P2pRouterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly bootstrapper: Bootstrapper;
  /** See loadIdentity. */
  readonly privateKey: Ed25519PrivateKey;
  /** Who may join. It outlives the router. Default: whoever is at an address that others can reach. */
  readonly membership?: Membership;
}

/** Settings of createP2pRouter. */
export interface P2pRouterOptions {
  /** --router-addr: `:5001`, `1.2.3.4:5001`, `[::1]:5001`. */
  readonly listenAddress: string;
  /** IPs that other nodes reach this one at, see announceableAddresses. At least one. */
  readonly announceAddresses: readonly string[];
  /** Takes peers at loopback addresses for what they are: for several nodes on one machine. Default false. */
  readonly allowLoopback?: boolean;
  /** See readSwarmKey: only nodes with the same key can join. Default: none is needed. */
  readonly swarmKey?: Uint8Array | undefined;
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
  readonly membership: MembershipStats;
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
  const membership =
    deps.membership ?? createNetworkMembership({ logger, clock }, { networks: [], allowLoopback });
  const isUsable = (ip: Uint8Array) => membership.admits(formatIp(ip));
  const ownId = peerIdFromPrivateKey(privateKey);
  const [self, selfId] = [ownId.toString(), ownId.toMultihash().bytes];
  const records = createProviderRecords(clock);
  const peers = createPeerTable(selfId);
  const liveness = createLiveness(clock);
  const toProvider = createToProvider(isUsable);
  const stopped = new AbortController();
  let isReady = false;

  const encodedSelf = () => encodePeer(selfId, node.announced().map(addressBytes));
  const responder = createDhtResponder({
    self: { name: selfId.toHex(), encoded: encodedSelf },
    records: {
      providersOf: (multihash) => records.providersOf(multihash),
      add: (multihash, name) =>
        (peers.get(name) !== undefined || gate.mayRecord(peerNamed(name))) && records.add(multihash, name),
    },
    peers,
    isAvoided: (name) => liveness.stateOf(name) === 'dead',
    introduce: (from, addresses) => directory.introduce(from, addresses),
  });
  const onStream = serveDhtStreams({ responder });
  const node = await createKadNode({ privateKey, onStream, membership }, options);
  const { libp2p, routingTable, gate } = node;
  const queries = createProviderQueries({ libp2p, allowLoopback, mayAsk: (peer) => gate.mayAsk(peer) });
  const lookups = createProviderLookups({
    self: selfId,
    network: queries,
    records,
    peers,
    liveness,
    toProvider,
    onDeadNamed: (name) => neighbourhood.probe(peerNamed(name)),
    clock,
    timers: systemTimers,
  });
  const leave = (name: string) => {
    const position = peers.get(name)?.position;
    directory.forget(name);
    if (position !== undefined) providing.peerLeft(name, position);
  };
  const providing = createProviding(
    {
      logger,
      clock,
      network: {
        closestPeers: (position, count) => peers.closest(position, count).map(({ name }) => name),
        positionOf: (name) => peers.get(name)?.position,
        peerCount: () => peers.size,
        async send(name, multihashes) {
          const peer = peers.get(name);
          if (peer === undefined) throw new Error('The peer has left');
          const { id } = peer;
          await queries.deliver({ id, addresses: [] }, encodeAddProviders(multihashes, encodedSelf()));
        },
        keepOwn: (multihash) => void records.add(multihash, selfId.toHex()),
        dropOwn: (multihash) => records.remove(multihash, selfId.toHex()),
        gone(name, error) {
          const peer = peerNamed(name);
          logger.debug('A peer takes no records', { peer: peer.toString(), error });
          liveness.died(name);
          leave(name);
          neighbourhood.drop(peer);
        },
      },
    },
    { replication: REPLICATION },
  );
  const neighbourhood = createNeighbourhood({
    node,
    logger,
    clock,
    onUnreachable(peer) {
      const name = nameOf(peer);
      liveness.died(name);
      leave(name);
    },
  });

  const directory: PeerDirectory = createPeerDirectory({
    libp2p,
    peers,
    liveness,
    gate: { isMember: (peer) => gate.isMember(peer), isUsable },
    onJoined(name) {
      queries.heard(peerNamed(name));
      lookups.peerJoined(name);
      providing.peerJoined(name);
      neighbourhood.learn();
    },
  });
  const unfollow = followMembership(
    { gate, libp2p, membership },
    {
      changed: () => directory.reconsider(),
      dismissed(peer) {
        leave(nameOf(peer));
        records.removeProvider(nameOf(peer));
        void routingTable.remove(peer).catch(() => {});
      },
      joined: () => neighbourhood.learn(),
    },
  );

  try {
    await libp2p.start();
  } catch (cause) {
    unfollow();
    queries[Symbol.dispose]();
    directory[Symbol.dispose]();
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
    keepHouse({ node, records, logger, clock, neighbourhood }, stopped.signal),
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
      addresses: peerIps(multiaddrs, allowLoopback).filter((ip) => membership.admits(ip)),
      multiaddrs: multiaddrs.map((address) => address.decapsulateCode(CODE_P2P).toString()),
      connected,
      // libp2p pings each connection every 10 s and closes those that do not answer.
      lastSeenMs: connected ? 0 : lastContactMs === undefined ? undefined : Date.now() - lastContactMs,
    };
  };
  const knownPeers = async () => {
    const stored = await libp2p.peerStore.all({
      filters: [(peer) => peer.protocols.includes(KAD_PROTOCOL)],
    });
    return stored.map(liveState);
  };

  return {
    ready: () => isReady,
    async *lookup(key, lookupOptions) {
      for await (const peer of lookups.lookup(key, lookupOptions)) {
        // What was found a moment ago may be no member's any more.
        const addresses = peer.addresses.filter((ip) => membership.admits(ip));
        if (addresses.length > 0) yield { ...peer, addresses };
      }
    },
    async advertise(keys, { signal } = {}) {
      await providing.provide(keys, signal);
    },
    async withdraw(keys) {
      providing.stop(keys);
    },
    peers: knownPeers,
    self: () => ({ id: self, multiaddrs: node.announced() }),
    async bootstrapDocuments() {
      const id = { ID: self, Addrs: node.announced() };
      const live = (await knownPeers()).filter(
        (peer) => peer.connected && peer.multiaddrs.length > 0 && gate.isMember(peerIdFromString(peer.id)),
      );
      const others = live.slice(0, MAX_BOOTSTRAP_PEERS - 1);
      return { id, ids: [id, ...others.map((peer) => ({ ID: peer.id, Addrs: peer.multiaddrs }))] };
    },
    stats: () => ({
      connectedPeers: libp2p.getPeers().length,
      providerRecords: records.recordCount,
      refusedProviderRecords: records.refusedCount,
      membership: membership.stats(),
    }),
    recorded: (key) => records.providersOf(contentMultihash(key)).map((name) => peerNamed(name).toString()),
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      unfollow();
      queries[Symbol.dispose]();
      directory[Symbol.dispose]();
      await Promise.allSettled([providing[Symbol.asyncDispose](), neighbourhood[Symbol.asyncDispose]()]);
      await Promise.all(background);
      await libp2p.stop();
    },
  };
}

/** What keepHouse needs. */
interface HouseDeps {
  readonly node: KadNode;
  readonly records: ProviderRecords;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly neighbourhood: Neighbourhood;
}

/** Removes faded records and peers that are gone, so that memory does not grow with the restarts in the cluster. */
async function keepHouse(
  { node: { libp2p }, records, logger, clock, neighbourhood }: HouseDeps,
  signal: AbortSignal,
): Promise<void> {
  let refusedBefore = 0;
  while (!signal.aborted) {
    await clock.sleep(HOUSEKEEPING_INTERVAL_MS, signal);
    records.sweep();
    if (records.refusedCount > refusedBefore) {
      logger.warn('No room for more provider records', {
        records: records.recordCount,
        refused: records.refusedCount - refusedBefore,
      });
      refusedBefore = records.refusedCount;
    }
    const isNeeded = (peerId: string) =>
      records.isProvider(nameOf(peerIdFromString(peerId))) ||
      libp2p.getConnections(peerIdFromString(peerId)).length > 0 ||
      Date.now() - (neighbourhood.lastContactMs(peerId) ?? 0) < KEEP_LOST_PEER_MS;
    for (const { id } of await libp2p.peerStore.all()) {
      if (!isNeeded(id.toString())) await libp2p.peerStore.delete(id);
    }
    neighbourhood.forget(isNeeded);
  }
}

/** The peer that the DHT's room names so. */
function peerNamed(name: string): PeerId {
  return peerIdFromMultihash(decodeMultihash(Uint8Array.fromHex(name)));
}
