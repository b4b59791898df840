import { MAX_PROVIDER_RECORDS } from '../dht/limits.ts';
import { RECORD_TABLE_BYTES } from '../dht/provide/record-table.ts';
import type { DoorOptions } from './connections/door.ts';
import type { AddressLimits } from './connections/door-addresses.ts';
import { INBOUND_UPGRADE_TIMEOUT_MS, NO_LIMIT } from './limits.ts';
import type { MemoryPlan } from '../runtime/memory/memory-plan.ts';

const SECOND_MS = 1000;
/**
 * Connections of one address: a node has one or two, and stale ones after its machine lost power. As Go's libp2p has
 * it.
 */
export const CONNECTIONS_PER_ADDRESS = 8;
/** Connections of an address that is not of a member. */
const PENDING_CONNECTIONS_PER_ADDRESS = 4;
/** Handshakes of one address at a time. */
export const HANDSHAKES_PER_ADDRESS = 8;
/** Handshakes that an address may begin at once, when it had none for a while. */
const HANDSHAKE_BURST = 16;
/** Handshakes of one address per second in the long run: some 5 % of a core. */
const HANDSHAKES_PER_SECOND = 2;
/** Handshakes that are done at a time. Together they take a second of CPU. */
const HANDSHAKE_SLOTS = 32;
/** From this part of the connections on that a node has room for, handshakes begin at a pace. */
const PACED_FROM = 0.75;
/** The pace: some 20 % of a core. */
const PACED_HANDSHAKES_PER_SECOND = 10;
/** Handshakes that wait for a slot: a whole cluster may start in the same second and dial its bootstrap peer. */
const MAX_WAITING_HANDSHAKES = 256;
/** A handshake that has its slot and takes longer is a port scan or a broken peer. */
const HANDSHAKE_MS = 5 * SECOND_MS;

/** The router's parts of a memory plan. */
export type RouterMemory = Pick<MemoryPlan, 'routerConnectionsBytes' | 'recordsBytes' | 'framesBytes'>;

/** How many of what takes memory the router may have. */
export interface RouterBudget {
  /** Connections. */
  readonly maxConnections: number;
  /** Provider records, this node's own among them. */
  readonly maxRecords: number;
  /** Of these, records of pending peers. */
  readonly maxPendingRecords: number;
}

/**
 * Memory of a connection in bytes: what it holds, garbage of its handshake that is not collected yet, and the kernel's
 * buffers of its socket. Measured with real clients, see docs/SECURITY.md.
 */
export const CONNECTION_BYTES = 160 * 1024;
/** Connections that a node with more memory than most has at most. */
const MOST_CONNECTIONS = 1000;
/** Connections that may be in their handshake, or come in before other peers were told and their connections ended. */
const CONNECTIONS_ON_TOP = 64;
/** Addresses that are not of members get the connections divided by this. */
const PENDING_CONNECTION_SHARES = 4;
/** Pending peers' part of the records, a number that divides the whole. */
const PENDING_SHARES = 10;
/** A node with more memory than most holds no more than so many times the usual number of records. */
const MOST_RECORDS = 5 * MAX_PROVIDER_RECORDS;

/** Turns bytes into numbers, by what one of each was measured to take. */
export function planRouter({ routerConnectionsBytes, recordsBytes }: RouterMemory): RouterBudget {
  const maxConnections = Math.min(MOST_CONNECTIONS, Math.floor(routerConnectionsBytes / CONNECTION_BYTES));
  const maxRecords = Math.min(MOST_RECORDS, Math.floor(recordsBytes / RECORD_TABLE_BYTES));
  return { maxConnections, maxRecords, maxPendingRecords: Math.floor(maxRecords / PENDING_SHARES) };
}

/** What an address may have. */
export const ADDRESS_LIMITS: AddressLimits = {
  connections: CONNECTIONS_PER_ADDRESS,
  pendingConnections: PENDING_CONNECTIONS_PER_ADDRESS,
  handshakes: HANDSHAKES_PER_ADDRESS,
  burst: HANDSHAKE_BURST,
  perSecond: HANDSHAKES_PER_SECOND,
};

/** For several nodes on one machine. */
export const UNBOUND_ADDRESS: AddressLimits = {
  connections: NO_LIMIT,
  pendingConnections: NO_LIMIT,
  handshakes: NO_LIMIT,
  burst: NO_LIMIT,
  perSecond: NO_LIMIT,
};

/** What the door lets in. */
export function doorOptions(maxConnections: number, address: AddressLimits): DoorOptions {
  return {
    address,
    connections: maxConnections + CONNECTIONS_ON_TOP,
    pendingConnections: Math.floor(maxConnections / PENDING_CONNECTION_SHARES),
    slots: HANDSHAKE_SLOTS,
    pacedFrom: Math.floor(PACED_FROM * maxConnections),
    pacePerSecond: PACED_HANDSHAKES_PER_SECOND,
    waiting: MAX_WAITING_HANDSHAKES,
    waitMs: INBOUND_UPGRADE_TIMEOUT_MS,
    handshakeMs: HANDSHAKE_MS,
  };
}
