import { MAX_PROVIDER_RECORDS } from '../dht/limits.ts';
import { RECORD_TABLE_BYTES } from '../dht/provide/record-table.ts';
import type { AddressLimits, DoorOptions } from './connections/door.ts';
import {
  CONNECTIONS_PER_ADDRESS,
  GUEST_CONNECTIONS_PER_ADDRESS,
  HANDSHAKE_BURST,
  HANDSHAKE_MS,
  HANDSHAKE_PLACES,
  HANDSHAKES_PER_ADDRESS,
  HANDSHAKES_PER_SECOND,
  INBOUND_UPGRADE_TIMEOUT_MS,
  MAX_WAITING_HANDSHAKES,
  NO_LIMIT,
  PACED_FROM,
  PACED_HANDSHAKES_PER_SECOND,
} from './limits.ts';
import type { MemoryPlan } from '../runtime/memory/memory-plan.ts';

/** The router's parts of a memory plan. */
export type RouterMemory = Pick<MemoryPlan, 'routerConnectionsBytes' | 'recordsBytes' | 'framesBytes'>;

/** How many of what takes memory the router may have. */
export interface RouterBudget {
  /** Connections. */
  readonly maxConnections: number;
  /** Provider records, this node's own among them. */
  readonly maxRecords: number;
  /** Of these, records of guests. */
  readonly maxGuestRecords: number;
}

/**
 * Memory of a connection in bytes: what it holds, garbage of its handshake that is not collected yet, and the kernel's
 * buffers of its socket. Measured with real clients, see docs/SECURITY.md.
 */
export const CONNECTION_BYTES = 160 * 1024;
/** Connections that a node with more memory than most has at most. */
const MOST_CONNECTIONS = 1000;
/** Connections that may come in before others have ended for them, which are told first, or that are in their handshake. */
const CONNECTIONS_ON_TOP = 64;
/** Addresses that are not of members get the connections divided by this. */
const GUEST_CONNECTION_SHARES = 4;
/** Guests' part of the records, a number that divides the whole. */
const GUEST_SHARES = 10;
/** A node with more memory than most holds no more than so many times the usual number of records. */
const MOST_RECORDS = 5 * MAX_PROVIDER_RECORDS;

/** Turns bytes into numbers, by what one of each was measured to take. */
export function planRouter({ routerConnectionsBytes, recordsBytes }: RouterMemory): RouterBudget {
  const maxConnections = Math.min(MOST_CONNECTIONS, Math.floor(routerConnectionsBytes / CONNECTION_BYTES));
  const maxRecords = Math.min(MOST_RECORDS, Math.floor(recordsBytes / RECORD_TABLE_BYTES));
  return { maxConnections, maxRecords, maxGuestRecords: Math.floor(maxRecords / GUEST_SHARES) };
}

/** What an address may have. */
export const ADDRESS_LIMITS: AddressLimits = {
  connections: CONNECTIONS_PER_ADDRESS,
  guestConnections: GUEST_CONNECTIONS_PER_ADDRESS,
  handshakes: HANDSHAKES_PER_ADDRESS,
  burst: HANDSHAKE_BURST,
  perSecond: HANDSHAKES_PER_SECOND,
};

/** For several nodes on one machine. */
export const UNBOUND_ADDRESS: AddressLimits = {
  connections: NO_LIMIT,
  guestConnections: NO_LIMIT,
  handshakes: NO_LIMIT,
  burst: NO_LIMIT,
  perSecond: NO_LIMIT,
};

/** What the door lets in. */
export function doorOptions(maxConnections: number, address: AddressLimits): DoorOptions {
  return {
    address,
    connections: maxConnections + CONNECTIONS_ON_TOP,
    guestConnections: Math.floor(maxConnections / GUEST_CONNECTION_SHARES),
    places: HANDSHAKE_PLACES,
    pacedFrom: Math.floor(PACED_FROM * maxConnections),
    pacePerSecond: PACED_HANDSHAKES_PER_SECOND,
    waiting: MAX_WAITING_HANDSHAKES,
    waitMs: INBOUND_UPGRADE_TIMEOUT_MS,
    handshakeMs: HANDSHAKE_MS,
  };
}
