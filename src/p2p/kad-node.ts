import { boundPeerStore } from './patches/bounded-peer-store.ts';
import { type Identify, identify } from '@libp2p/identify';
import type { KadDHT } from '@libp2p/kad-dht';
import type { Libp2p, PrivateKey, StreamHandler } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { type Ping, ping } from '@libp2p/ping';
import { multiaddr } from '@multiformats/multiaddr';
import { MemoryDatastore } from 'datastore-core';
import { createLibp2p } from 'libp2p';

import { type Logger, silentLogger } from '../observe/log.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { createComponentLogger } from './component-logger.ts';
import { answeredBy, idleKadDht } from './idle-kad-dht.ts';
import { DIAL_TIMEOUT_MS, INBOUND_UPGRADE_TIMEOUT_MS, NO_LIMIT } from './limits.ts';
import type { Door } from './connections/door.ts';
import { guardedTcp } from './connections/guarded-tcp.ts';
import { guardedYamux } from './patches/guarded-yamux.ts';
import { listenMultiaddrs, tcpMultiaddr } from '../bootstrap/listen-multiaddrs.ts';
import { everybody, type Membership } from '../membership/membership.ts';
import { createMembershipGate, type MembershipGate } from './connections/membership-gate.ts';
import { noiseForBun } from './patches/noise-for-bun.ts';
import { privateNetwork } from './connections/private-network.ts';
import { servePings } from './rpc/serve-pings.ts';

/** A libp2p host with the DHT on it. */
export interface KadNode {
  readonly libp2p: Libp2p;
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

/**
 * Makes a host set up for a cluster: private addresses welcome, addresses announced as they are given, limits that let a
 * whole cluster start at once. Not started yet.
 */
export async function createKadNode(
  { privateKey, onStream, door, membership = everybody, logger = silentLogger }: KadNodeDeps,
  options: KadNodeOptions,
): Promise<KadNode> {
  const gate = createMembershipGate(membership, options);
  const listen = parseListenAddress(options.listenAddress);
  let port = listen.port;
  let ips = options.announceAddresses;
  /** Asked for with each message that has records. Undefined after a change. */
  let addresses: readonly string[] | undefined;
  const announced = () => (addresses ??= ips.map((ip) => tcpMultiaddr(ip, port)));
  announced();
  const self = peerIdFromPrivateKey(privateKey).toString();
  const libp2p: Libp2p = await createLibp2p<{ identify: Identify; ping: Ping; dht: KadDHT }>({
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
      // The handler of ping keeps whatever a peer sends that does not read.
      ping: answeredBy(servePings, ping()),
      dht: idleKadDht(onStream),
    },
  });
  libp2p.addEventListener('transport:listening', ({ detail }) => {
    if (port !== 0) return;
    const address = detail.getAddrs()[0];
    port = Number(address?.getComponents().find(({ name }) => name === 'tcp')?.value ?? 0);
    addresses = undefined;
  });
  boundPeerStore(libp2p.peerStore);
  return {
    libp2p,
    gate,
    announced,
    announce(next) {
      for (const ip of next) tcpMultiaddr(ip, port);
      const isOneGone = ips.some((ip) => !next.includes(ip));
      ips = next;
      addresses = undefined;
      if (!isOneGone) return;
      for (const connection of libp2p.getConnections()) {
        connection.abort(new Error('This node has another address now'));
      }
    },
  };
}
