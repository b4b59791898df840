import { boundPeerStore } from './patches/bounded-peer-store.ts';
import { identify } from '@libp2p/identify';
import type { Libp2p, PeerId, PrivateKey, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { type KadDHT, type KadDHTComponents, kadDHT } from '@libp2p/kad-dht';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { multiaddr } from '@multiformats/multiaddr';
import { MemoryDatastore } from 'datastore-core';
import { createLibp2p } from 'libp2p';

import { type Logger, silentLogger } from '../observe/log.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { createComponentLogger } from './component-logger.ts';
import { LOOKUP_CONCURRENCY, PROVIDER_VALIDITY_MS, REPLICATION } from '../dht/limits.ts';
import {
  DIAL_TIMEOUT_MS,
  INBOUND_UPGRADE_TIMEOUT_MS,
  KAD_PROTOCOL,
  MAX_DHT_STREAMS,
  NO_LIMIT,
} from './limits.ts';
import type { Door } from './connections/door.ts';
import { guardedTcp } from './connections/guarded-tcp.ts';
import { guardedYamux } from './patches/guarded-yamux.ts';
import { listenMultiaddrs, tcpMultiaddr } from '../bootstrap/listen-multiaddrs.ts';
import { everybody, type Membership } from '../membership/membership.ts';
import { createMembershipGate, type MembershipGate } from './connections/membership-gate.ts';
import { noiseForBun } from './patches/noise-for-bun.ts';
import { privateNetwork } from './connections/private-network.ts';
import { quietKadDht } from './patches/quiet-kad-dht.ts';
import { servePings } from './rpc/serve-pings.ts';

/** The same for streams that this node opens: notices have one each. */
const MAX_OUTBOUND_STREAMS = 64;

/** The routing table of kad-dht 16, as far as it is used here. The package's types show its size only. */
export interface RoutingTable extends EventTarget {
  readonly size: number;
  add(peer: PeerId, options?: { readonly signal?: AbortSignal }): Promise<void>;
  remove(peer: PeerId): Promise<void>;
}

/** The parts of kad-dht 16 that its types hide. */
interface KadInternals {
  readonly routingTable: RoutingTable;
  /** Tells of each peer that an answer names. */
  readonly network: {
    safeDispatchEvent(type: string, event: { readonly detail: { readonly id: PeerId } }): boolean;
  };
}

/** A libp2p host with the DHT on it. */
export interface KadNode {
  readonly libp2p: Libp2p;
  readonly dht: KadDHT;
  readonly routingTable: RoutingTable;
  /** Applies the membership; guard() is to be called. */
  readonly gate: MembershipGate;
  /** The addresses that this node announces, without /p2p. */
  readonly announced: () => readonly string[];
  /**
   * Announces these IPs from now on. When an IP of before is not among them, connections end: they may lead there, and
   * so nowhere. Peers that connect anew learn where this node is. RangeError for what is not an IP.
   */
  announce(ips: readonly string[]): void;
}

/** What createKadNode needs. */
export interface KadNodeDeps {
  readonly privateKey: PrivateKey;
  /** Handles the streams of the DHT's protocol, in place of kad-dht. */
  readonly onStream: StreamHandler;
  readonly door: Door;
  /** Default: all peers may join. */
  readonly membership?: Membership;
  /** Gets what libp2p logs, at debug. Default: no log. */
  readonly logger?: Logger;
}

/** Settings of createKadNode. */
export interface KadNodeOptions {
  readonly listenAddress: string;
  /** IPs; the port that the node listens on is added. */
  readonly announceAddresses: readonly string[];
  /** The key of the private network; undefined: there is no private network. */
  readonly swarmKey?: Uint8Array | undefined;
  /** See createMembershipGate. */
  readonly maxPendingRecords?: number;
}

/** Ages in the peer store. It never renews an address that it hears of again, so any limit makes live peers vanish. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;
/** kad-dht's own cycles, of reproviding and of looking for itself: src/dht does that, and these find nothing to do. */
const DHT_INTERVAL_MS = 24 * 60 * 60 * 1000;

/**
 * Makes a host with kad-dht set up for a cluster: server mode, private addresses welcome, addresses announced
 * as they are given, limits that let a whole cluster start at once. Not started yet.
 */
export async function createKadNode(
  { privateKey, onStream, door, membership = everybody, logger = silentLogger }: KadNodeDeps,
  options: KadNodeOptions,
): Promise<KadNode> {
  const gate = createMembershipGate(membership, options);
  const listen = parseListenAddress(options.listenAddress);
  let port = listen.port;
  let ips = options.announceAddresses;
  const announced = () => ips.map((ip) => tcpMultiaddr(ip, port));
  announced();
  const self = peerIdFromPrivateKey(privateKey).toString();
  const libp2p: Libp2p<{ dht: KadDHT }> = await createLibp2p({
    start: false,
    privateKey,
    datastore: new MemoryDatastore(),
    logger: createComponentLogger({ logger, clock: systemClock }),
    addresses: {
      listen: [...listenMultiaddrs(listen)],
      announceFilter: () => announced().map((address) => multiaddr(`${address}/p2p/${self}`)),
    },
    transports: [guardedTcp(door, membership)],
    connectionGater: gate.connectionGater,
    ...(options.swarmKey === undefined ? {} : { connectionProtector: privateNetwork(options.swarmKey) }),
    connectionEncrypters: [noiseForBun()],
    streamMuxers: [guardedYamux()],
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: NO_LIMIT,
      inboundConnectionThreshold: NO_LIMIT,
      maxIncomingPendingConnections: NO_LIMIT,
      inboundUpgradeTimeout: INBOUND_UPGRADE_TIMEOUT_MS,
      dialTimeout: DIAL_TIMEOUT_MS,
      addressDialTimeout: DIAL_TIMEOUT_MS,
    },
    peerStore: { maxAddressAge: NEVER_MS, maxPeerAge: NEVER_MS },
    services: {
      identify: identify({ runOnLimitedConnection: false, timeout: DIAL_TIMEOUT_MS }),
      ping: answeredBy(servePings, ping()),
      dht: answeredBy(
        onStream,
        kadDHT({
          protocol: KAD_PROTOCOL,
          clientMode: false,
          kBucketSize: REPLICATION,
          // Peers that an answer names get into the routing table by a member's address only.
          peerInfoMapper: (peer) => ({ ...peer, multiaddrs: gate.admitted(peer.multiaddrs) }),
          // One path, few at a time: a stream to every close peer at once would delay the first answer.
          alpha: LOOKUP_CONCURRENCY,
          disjointPaths: 1,
          // A node alone answers at once that there is no provider.
          allowQueryWithZeroPeers: true,
          maxInboundStreams: MAX_DHT_STREAMS,
          maxOutboundStreams: MAX_OUTBOUND_STREAMS,
          networkDialTimeout: { minTimeout: DIAL_TIMEOUT_MS, maxTimeout: DIAL_TIMEOUT_MS },
          querySelfInterval: DHT_INTERVAL_MS,
          initialQuerySelfInterval: DHT_INTERVAL_MS,
          reprovide: { interval: DHT_INTERVAL_MS, validity: PROVIDER_VALIDITY_MS, threshold: 0 },
        }),
      ),
    },
  });
  libp2p.addEventListener('transport:listening', ({ detail }) => {
    if (port !== 0) return;
    const address = detail.getAddrs()[0];
    port = Number(address?.getComponents().find(({ name }) => name === 'tcp')?.value ?? 0);
  });
  boundPeerStore(libp2p.peerStore);
  const { dht } = libp2p.services;
  const { routingTable, network } = dht as unknown as KadInternals;
  // Each answer names 20 peers, and kad-dht has each of them written to the peer store anew: 400 writes per walk.
  // A peer that is connected is known already.
  const dispatch = network.safeDispatchEvent.bind(network);
  network.safeDispatchEvent = (type, event) =>
    (type === 'peer' && libp2p.getConnections(event.detail.id).length > 0) || dispatch(type, event);
  quietKadDht(dht);
  keepMembersOnly(routingTable, gate);
  return {
    libp2p,
    dht,
    routingTable,
    gate,
    announced,
    announce(next) {
      for (const ip of next) tcpMultiaddr(ip, port);
      const isOneGone = ips.some((ip) => !next.includes(ip));
      ips = next;
      if (!isOneGone) return;
      for (const connection of libp2p.getConnections()) {
        connection.abort(new Error('This node has another address now'));
      }
    },
  };
}

/** Keeps pending peers out of the routing table. */
function keepMembersOnly(routingTable: RoutingTable, gate: MembershipGate): void {
  const add = routingTable.add.bind(routingTable);
  routingTable.add = async (peer, options) => {
    if (!gate.mayAsk(peer)) return;
    await add(peer, options);
    // The peer may have connected meanwhile.
    if (!gate.mayAsk(peer)) await routingTable.remove(peer);
  };
}

/**
 * A service of libp2p whose own handler of its protocol's streams is replaced. The handler of kad-dht takes a
 * millisecond of CPU for each question and 0.2 for each record, most of them in the peer store and in parsing
 * addresses. The handler of ping keeps whatever a peer sends that does not read.
 */
function answeredBy<C extends { readonly registrar: KadDHTComponents['registrar'] }, S>(
  onStream: StreamHandler,
  create: (components: C) => S,
) {
  return (components: C): S => {
    const { registrar } = components;
    const replaced: typeof registrar = Object.create(registrar, {
      handle: {
        value: async (protocol: string, _handler: StreamHandler, options?: StreamHandlerOptions) =>
          registrar.handle(protocol, onStream, options),
      },
    });
    return create(
      new Proxy(components, {
        get: (target, name, receiver) =>
          name === 'registrar' ? replaced : (Reflect.get(target, name, receiver) as unknown),
      }),
    );
  };
}
