import { MAX_PROVIDER_RECORDS } from '../dht/limits.ts';
import { RECORD_TABLE_BYTES } from '../dht/record-table.ts';
import type { MemoryPlan } from '../runtime/memory/memory-plan.ts';

/** The router's parts of a memory plan. */
export type RouterMemory = Pick<MemoryPlan, 'routerConnectionsBytes' | 'recordsBytes' | 'framesBytes'>;

/** How many of what takes memory the router may have. */
export interface RouterBudget {
  /** Provider records, this node's own among them. */
  readonly maxRecords: number;
  /** Of these, records of guests. */
  readonly maxGuestRecords: number;
}

/** Guests' part of the records, a number that divides the whole. */
const GUEST_SHARES = 10;
/** A node with more memory than most holds no more than so many times the usual number of records. */
const MOST_RECORDS = 5 * MAX_PROVIDER_RECORDS;

/** Turns bytes into numbers, by what one of each was measured to take. */
export function planRouter({ recordsBytes }: RouterMemory): RouterBudget {
  const maxRecords = Math.min(MOST_RECORDS, Math.floor(recordsBytes / RECORD_TABLE_BYTES));
  return { maxRecords, maxGuestRecords: Math.floor(maxRecords / GUEST_SHARES) };
}
