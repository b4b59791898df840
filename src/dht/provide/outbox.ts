import type { Delivery } from './delivery.ts';

/** Keys that were sent together, each with the deliveries that waited for it then. */
export type Batch = readonly (readonly [key: string, deliveries: readonly Delivery[]])[];

/** What waits to be sent to one peer: keys, each with the deliveries that follow its record. */
export interface Outbox {
  /** How many records wait. */
  readonly size: number;
  /** The key's record is to be sent; once for all that ask for it before it is taken. */
  put(key: string, delivery: Delivery | undefined): void;
  /** The first keys that wait, `count` at most. They go on waiting until it is said how they went. */
  first(count: number): Batch;
  /** The peer has taken the batch. What was put meanwhile waits on. */
  taken(batch: Batch): void;
  /**
   * The peer has not taken the batch. Its keys that are still provided wait on, and so do keys that were put meanwhile.
   */
  refused(batch: Batch, cause: unknown, isProvided: (key: string) => boolean): void;
  /** Nothing of what waits will be sent: tells its deliveries. */
  abandon(cause: unknown): void;
}

/** There are as many keys without a delivery as records that wait: they share this list. */
const NO_DELIVERIES: readonly Delivery[] = [];

/** Makes an empty outbox. */
export function createOutbox(): Outbox {
  const waiting = new Map<string, readonly Delivery[]>();

  /** Takes what the batch waited for out of the outbox. */
  const settle = (batch: Batch, isWanted: (key: string) => boolean) => {
    for (const [key, deliveries] of batch) {
      const later = (waiting.get(key) ?? []).slice(deliveries.length);
      // What came meanwhile waits for an answer, also for a key that is not provided any more.
      if (later.length > 0 || isWanted(key)) waiting.set(key, later);
      else waiting.delete(key);
    }
  };

  return {
    get size() {
      return waiting.size;
    },
    put(key, delivery) {
      const earlier = waiting.get(key) ?? NO_DELIVERIES;
      waiting.set(key, delivery === undefined ? earlier : [...earlier, delivery]);
    },
    first(count) {
      // Without a copy of the others: there may be many, and they are sent in many batches.
      const first: [string, readonly Delivery[]][] = [];
      for (const entry of waiting) {
        if (first.length === count) break;
        first.push(entry);
      }
      return first;
    },
    taken(batch) {
      for (const [key, deliveries] of batch) for (const delivery of deliveries) delivery.taken(key);
      settle(batch, () => false);
    },
    refused(batch, cause, isProvided) {
      for (const [key, deliveries] of batch) for (const delivery of deliveries) delivery.refused(key, cause);
      settle(batch, isProvided);
    },
    abandon(cause) {
      for (const [key, deliveries] of waiting) {
        for (const delivery of deliveries) delivery.refused(key, cause);
      }
      waiting.clear();
    },
  };
}
