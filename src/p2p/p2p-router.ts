import type {
  Ed25519PrivateKey,
  IdentifyResult,
  Libp2p,
  PeerId,
  Peer as StoredPeer,
} from '@libp2p/interface';
import { peerIdFromMultihash, peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';
import { decode as decodeMultihash } from 'multiformats/hashes/digest';

import type { DhtNode, DhtObserver, DhtStats } from '../dht/dht-node-contract.ts';
import { createDhtNode } from '../dht/dht-node.ts';
import { isLoopbackIp, isUnicastIp } from '../dht/wire/peer-address.ts';
import type { Logger } from '../observe/log.ts';
import type { BootstrapOutcome, BootstrapState, PeerState, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { formatIp } from '../runtime/ip-address.ts';
import { systemTimers } from '../runtime/timers.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import type { MemoryRoom } from '../runtime/memory/memory-room.ts';
import type { BootstrapDocuments } from '../bootstrap/bootstrap-document.ts';
import { createBootstrapNetwork } from './bootstrap-network.ts';
import type { Bootstrapper } from '../bootstrap/bootstrapper.ts';
import { createInboundFrames, type FrameRefusal } from './rpc/inbound-frames.ts';
import { createKadNode, type KadNode } from './kad-node.ts';
import { DIAL_TIMEOUT_MS, KAD_PROTOCOL, MAX_DHT_STREAMS, NOTICE_PROTOCOL } from './limits.ts';
import { MAX_BOOTSTRAP_PEERS } from '../bootstrap/limits.ts';
import { capConnections, type CapReason } from './connections/cap-connections.ts';
import { type AddressLimits, createDoor, type DoorRefusal } from './connections/door.ts';
import { followMembership } from './connections/follow-membership.ts';
import type { Membership, MembershipStats } from '../membership/membership.ts';
import { latestConnection } from './connections/latest-connection.ts';
import { createPeerConnections, type PeerConnections } from './connections/peer-connections.ts';
import { createNetworkMembership } from '../membership/network-membership.ts';
import { sendNotice, serveNoticeStreams } from './rpc/notice-streams.ts';
import { originOf, peerIps } from './addresses/peer-addresses.ts';
import { createRpcClient } from './rpc/rpc-client.ts';
import {
  ADDRESS_LIMITS,
  doorOptions,
  planRouter,
  type RouterMemory,
  UNBOUND_ADDRESS,
} from './router-budget.ts';
import { createRpcServer } from './rpc/rpc-server.ts';
import { spareConnections } from './connections/connection-pruner.ts';
import { runBootstrapLoop } from '../bootstrap/bootstrap-loop.ts';
import { createToProvider } from './addresses/to-provider.ts';
import { watchConnections } from './connections/watch-connections.ts';
import { detectDuplicateIdentities } from './connections/duplicate-identity-detector.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** How often peers that are gone are forgotten and spare connections end. To look through them costs a millisecond a peer. */
const HOUSEKEEPING_INTERVAL_MS = 10 * MINUTE_MS;
/** How long a peer that was lost is remembered: it may be the only way back when all are lost. */
const KEEP_LOST_PEER_MS = 60 * MINUTE_MS;

/** What createP2pRouter needs. */
export interface P2pRouterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly bootstrapper: Bootstrapper;
  /** See loadIdentity. */
  readonly privateKey: Ed25519PrivateKey;
  /** Who may join. It outlives the router. Default: whoever is at an address that others can reach. */
  readonly membership?: Membership;
  readonly observer?: RouterObserver;
  /** Called with the ID of a member that connects, or answers again after a silence. May repeat itself. */
  readonly onPeerReturned?: (peerId: string) => void;
  /** Connections are fewer while it says that memory is short. Default: it never is. */
  readonly room?: MemoryRoom;
}

/** Gets what the router does, for metrics. */
export interface RouterObserver extends DhtObserver {
  /** A round of bootstrapping has ended. */
  bootstrapEnded(outcome: BootstrapOutcome): void;
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
  /** What connections, records and messages may hold. Default planMemory(). */
  readonly memory?: RouterMemory;
  /** What one address may have. Default ADDRESS_LIMITS; with allowLoopback no limits. */
  readonly addressLimits?: AddressLimits;
}

/** The router over libp2p's DHT. */
export interface P2pRouter extends Router, AsyncDisposable {
  /** What to serve on --http-bootstrap-addr: this node at /id, this node and up to 19 live peers at /ids. */
  bootstrapDocuments(): Promise<BootstrapDocuments>;
  /** Figures for metrics and the debug page. */
  stats(): DhtStats & {
    readonly membership: MembershipStats;
    /** Connections that were not let in or kept, and streams that were reset, since the start. */
    readonly refused: Readonly<Record<DoorRefusal | FrameRefusal | CapReason, number>>;
  };
  /** How bootstrapping has ended the last time; undefined while the first round is under way. */
  bootstrapState(): BootstrapState | undefined;
  /** This node is reached at these IPs from now on: at least one. See findAnnounceAddresses. */
  announce(addresses: readonly string[]): void;
  /** The peers (this node among them) that this node's own records name as providers of the key. Asks nobody. */
  recorded(key: string): readonly string[];
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
  // IPv4 in IPv6's clothes is how a socket may show a connection; nobody is to be sent there.
  const isUsable = (ip: Uint8Array) =>
    (isUnicastIp(ip) || (allowLoopback && isLoopbackIp(ip))) && membership.admits(formatIp(ip));
  const ownId = peerIdFromPrivateKey(privateKey);
  const self = ownId.toString();
  const memory = options.memory ?? planMemory();
  const stopped = new AbortController();
  let isReady = false;

  const frames = createInboundFrames(
    { nowMs: () => clock.nowMs(), timers: systemTimers },
    { maxBytes: memory.framesBytes },
  );
  const onStream = createRpcServer({ answer: (from, message) => dht.answer(from, message) }, frames);
  const budget = planRouter(memory);
  const addressLimits = options.addressLimits ?? (allowLoopback ? UNBOUND_ADDRESS : ADDRESS_LIMITS);
  const door = createDoor(
    { nowMs: () => clock.nowMs(), timers: systemTimers },
    doorOptions(budget.maxConnections, addressLimits),
  );
  const node = await createKadNode(
    { privateKey, onStream, door, membership, logger },
    { ...options, ...budget },
  );
  const { libp2p, routingTable, gate } = node;
  const queries = createRpcClient({ libp2p, allowLoopback, mayAsk: (peer) => gate.mayAsk(peer) });
  const dht = createDhtNode(
    {
      self: ownId.toMultihash().bytes,
      addresses: () => node.announced().map((address) => multiaddr(address).bytes),
      network: {
        ask: async (peer, multihash) => queries.ask(peer, multihash),
        findNode: async (peer, key) => queries.findNode(peer, key),
        connect: async (peer) => queries.connect(peer),
        deliver: async (peer, messages) => queries.deliver(peer, messages),
        isSilent: (peer) => queries.isSilent(peer),
        heard: (name) => queries.heard(peerNamed(name)),
        notify: async (peer, notice) => sendNotice(libp2p, peer, notice),
        probe: ({ id, addresses }) => peerConnections.probe(peerOf(id), addresses),
        drop: (name) => peerConnections.drop(peerNamed(name)),
        part: (name, isOurs) => peerConnections.part(peerNamed(name), isOurs),
      },
      gate: {
        isMember: (id) => gate.isMember(peerOf(id)),
        mayRecord: (id) => gate.mayRecord(peerOf(id)),
        originOf(id) {
          const connection = latestConnection(libp2p, peerOf(id));
          return connection === undefined ? undefined : originOf(connection.remoteAddr);
        },
        isUsable,
      },
      toProvider: createToProvider(isUsable),
      ...(deps.observer === undefined ? {} : { observer: deps.observer }),
      onReturned: (name) => deps.onPeerReturned?.(peerNamed(name).toString()),
      logger,
      clock,
      timers: systemTimers,
    },
    budget,
  );
  const peerConnections = createPeerConnections({
    node,
    logger,
    clock,
    onUnreachable: (peer) => dht.unreachable(peer.toMultihash().bytes),
  });
  const stopFollowing = followConnections(libp2p, dht);
  const unfollowMembership = followMembership(
    { gate, libp2p, membership },
    {
      changed: () => dht.reconsider(),
      dismissed(peer) {
        dht.dismissed(peer.toMultihash().bytes);
        void routingTable.remove(peer).catch(() => {});
      },
      joined: () => dht.reconsider(),
    },
  );

  try {
    await libp2p.handle(NOTICE_PROTOCOL, serveNoticeStreams(dht), { maxInboundStreams: MAX_DHT_STREAMS });
    await libp2p.start();
  } catch (cause) {
    stopFollowing();
    unfollowMembership();
    queries[Symbol.dispose]();
    await Promise.allSettled([
      libp2p.stop(),
      dht[Symbol.asyncDispose](),
      peerConnections[Symbol.asyncDispose](),
    ]);
    throw new Error(`Cannot listen on ${options.listenAddress} for other nodes: is the port taken?`, {
      cause,
    });
  }
  logger.info('Router listens', { id: self, addresses: node.announced() });

  const network = createBootstrapNetwork(node, logger, (peer) => dht.hasParted(nameOf(peer)));
  const cap = capConnections(
    { libp2p, dht, timers: systemTimers, nowMs: () => Date.now(), room: deps.room },
    { maxConnections: budget.maxConnections },
    stopped.signal,
  );
  detectDuplicateIdentities({ libp2p, logger, clock }, stopped.signal);
  watchConnections(
    {
      libp2p,
      clock,
      onOpen: (connection) => queries.moved(connection),
      onReplaced: (peer) => dht.replaced(peer.toMultihash().bytes),
    },
    stopped.signal,
  );
  const onReady = () => {
    isReady = true;
    logger.info('Router is ready', { peers: routingTable.size });
  };
  let bootstrapState: BootstrapState | undefined;
  const background = [
    runBootstrapLoop(
      {
        bootstrapper,
        network,
        logger,
        clock,
        onReady,
        onOutcome(outcome, error) {
          const reason = error instanceof Error ? error.message : undefined;
          bootstrapState = { kind: bootstrapper.kind, outcome, reason };
          deps.observer?.bootstrapEnded(outcome);
        },
      },
      stopped.signal,
    ),
    keepHouse({ node, dht, clock, peerConnections }, stopped.signal),
  ].map(async (work) => {
    await work.catch((error: unknown) => {
      if (!stopped.signal.aborted) logger.error('Routing stopped working, restart this node', { error });
    });
  });

  const lastSeenMs = (
    id: string,
    { connected, life, forMs }: { readonly connected: boolean } & ReturnType<DhtNode['lifeOf']>,
  ) => {
    const lastContactMs = peerConnections.lastContactMs(id);
    if (!connected) return lastContactMs === undefined ? undefined : Math.max(0, Date.now() - lastContactMs);
    // A failure detector, this node’s or that of others, asks each connected peer every few seconds: it does not answer since then.
    return life === 'dead' ? forMs : 0;
  };
  const liveState = (peer: StoredPeer): PeerState => {
    const id = peer.id.toString();
    const multiaddrs = peer.addresses.map((address) => address.multiaddr);
    const connected = libp2p.getConnections(peer.id).length > 0;
    const { life, forMs } = dht.lifeOf(nameOf(peer.id));
    return {
      id,
      addresses: peerIps(multiaddrs, allowLoopback).filter((ip) => membership.admits(ip)),
      multiaddrs: multiaddrs.map((address) => address.decapsulateCode(CODE_P2P).toString()),
      connected,
      state: life === 'dead' || life === 'suspect' ? life : connected ? 'connected' : 'known',
      inStateMs: life === 'alive' && !connected ? undefined : forMs,
      isMember: gate.isMember(peer.id),
      lastSeenMs: lastSeenMs(id, { connected, life, forMs }),
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
      for await (const peer of dht.lookup(key, lookupOptions)) {
        // What was found a moment ago may be no member's any more.
        const addresses = peer.addresses.filter((ip) => membership.admits(ip));
        if (addresses.length > 0) yield { ...peer, addresses };
      }
    },
    isUnsettled: () => dht.isUnsettled(),
    async advertise(keys, { signal } = {}) {
      await dht.provide(keys, signal);
    },
    async withdraw(keys) {
      dht.withdraw(keys);
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
    announce(addresses) {
      node.announce(addresses);
      logger.info('This node has other addresses now', { addresses: node.announced() });
    },
    stats: () => ({
      ...dht.stats(),
      membership: membership.stats(),
      refused: { ...door.refused, ...frames.refused, ...cap.ended },
    }),
    bootstrapState: () => bootstrapState,
    recorded: (key) => dht.recorded(key).map((name) => peerNamed(name).toString()),
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      await Promise.allSettled([dht[Symbol.asyncDispose](), peerConnections[Symbol.asyncDispose]()]);
      unfollowMembership();
      stopFollowing();
      queries[Symbol.dispose]();
      await Promise.all(background);
      await libp2p.stop();
    },
  };
}

/** What keepHouse needs. */
interface HouseDeps {
  readonly node: KadNode;
  readonly dht: DhtNode;
  readonly clock: Clock;
  readonly peerConnections: PeerConnections;
}

/** Forgets peers that are gone, so that memory does not grow with the restarts in the cluster, and ends spare connections. */
async function keepHouse(
  { node: { libp2p }, dht, clock, peerConnections }: HouseDeps,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(HOUSEKEEPING_INTERVAL_MS, signal);
    const isNeeded = (peerId: string) =>
      dht.isProvider(nameOf(peerIdFromString(peerId))) ||
      libp2p.getConnections(peerIdFromString(peerId)).length > 0 ||
      Date.now() - (peerConnections.lastContactMs(peerId) ?? 0) < KEEP_LOST_PEER_MS;
    for (const { id } of await libp2p.peerStore.all()) {
      if (!isNeeded(id.toString())) await libp2p.peerStore.delete(id);
    }
    peerConnections.forget(isNeeded);
    const spare = spareConnections(libp2p.getConnections(), {
      self: libp2p.peerId.toString(),
      nowMs: Date.now(),
      youngMs: DIAL_TIMEOUT_MS,
    });
    // What is asked on them just now is asked again on the one that is left.
    for (const connection of spare) connection.abort(new Error('There is another connection to the peer'));
  }
}

/** Tells the DHT's node who is connected; call the result to end that. */
function followConnections(libp2p: Libp2p, dht: DhtNode): () => void {
  // Not through a topology of libp2p: that tells of the end of a connection later than of the next one's start.
  const onIdentify = ({ detail: { peerId, protocols, listenAddrs } }: CustomEvent<IdentifyResult>) => {
    if (!protocols.includes(KAD_PROTOCOL) || libp2p.getConnections(peerId).length === 0) return;
    dht.connected(peerId.toMultihash().bytes, {
      addresses: listenAddrs.map(({ bytes }) => bytes),
      takesNotices: protocols.includes(NOTICE_PROTOCOL),
    });
  };
  const onDisconnect = ({ detail: peer }: CustomEvent<PeerId>) => {
    if (libp2p.getConnections(peer).length === 0) dht.disconnected(peer.toMultihash().bytes);
  };
  libp2p.addEventListener('peer:identify', onIdentify);
  libp2p.addEventListener('peer:disconnect', onDisconnect);
  return () => {
    libp2p.removeEventListener('peer:identify', onIdentify);
    libp2p.removeEventListener('peer:disconnect', onDisconnect);
  };
}

function nameOf(peer: PeerId): string {
  return peer.toMultihash().bytes.toHex();
}

/** The peer that the DHT's room names so. */
function peerNamed(name: string): PeerId {
  return peerOf(Uint8Array.fromHex(name));
}

function peerOf(id: Uint8Array): PeerId {
  return peerIdFromMultihash(decodeMultihash(id));
}
