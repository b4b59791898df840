import type { Ed25519PrivateKey } from '@libp2p/interface';

import type { BootstrapDocuments } from '../bootstrap/bootstrap-document.ts';
import type { FlightNetwork } from '../flights/flight-network.ts';
import type { Bootstrapper } from '../bootstrap/bootstrapper.ts';
import type { DhtObserver, DhtStats } from '../dht/dht-node-contract.ts';
import type { Membership, MembershipStats } from '../membership/membership.ts';
import type { Logger } from '../observe/log.ts';
import type { BootstrapOutcome, BootstrapState, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import type { MemoryRoom } from '../runtime/memory/memory-room.ts';
import type { CapReason } from './connections/cap-connections.ts';
import type { DoorRefusal } from './connections/door.ts';
import type { AddressLimits } from './connections/door-addresses.ts';
import type { RouterMemory } from './router-budget.ts';
import type { FrameRefusal } from './rpc/inbound-frames.ts';

/** What createP2pRouter needs. */
export interface P2pRouterDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly bootstrapper: Bootstrapper;
  /** See loadIdentity. */
  readonly privateKey: Ed25519PrivateKey;
  /** Says which addresses may join. It outlives the router. Default: all addresses that others can reach. */
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
  /** IPs that other nodes reach this node at, see announceableAddresses. At least one. */
  readonly announceAddresses: readonly string[];
  /** Takes peers at loopback addresses for what they are: for several nodes on one machine. Default false. */
  readonly allowLoopback?: boolean;
  /** See readSwarmKey: only nodes with the same key can join. Default: no key is needed. */
  readonly swarmKey?: Uint8Array | undefined;
  /** What connections, records and messages may hold. Default planMemory(). */
  readonly memory?: RouterMemory;
  /** --zone: where this node is, see isLabelValue(). Default: that is not known. */
  readonly zone?: string | undefined;
  /** --node-name: what this node is called, see isNodeName(). Default: nothing. */
  readonly nodeName?: string | undefined;
  /** True: this node takes part in flights, and others may ask it about them. Default false. */
  readonly flights?: boolean;
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
  /** How the last bootstrapping has ended; undefined while the first round is under way. */
  bootstrapState(): BootstrapState | undefined;
  /** This node is reached at these IPs from now on: at least one. See findAnnounceAddresses. */
  announce(addresses: readonly string[]): void;
  /** The peers (this node among them) that this node's own records name as providers of the key. Asks no peer. */
  recorded(key: string): readonly string[];
  /** The cluster as flights see it. */
  readonly flights: FlightNetwork;
}
