import { type StoreEvent, type StoreSnapshot } from './content-store.ts';
import { routingKey } from '../oci/routing-key.ts';
import { createWakeUp } from '../runtime/wake-up.ts';

/** Changes that wait for a slow consumer before they give way to one resync: some seconds of the fastest pulls. */
const MAX_PENDING_EVENTS = 4096;

/** The changes that one consumer of a watch has not taken yet. */
export interface StoreEventQueue {
  /** Adds a change. A newer one for the same blob or tag replaces the older. Before the first resync nothing is added. */
  push(event: Exclude<StoreEvent, { kind: 'resync' }>): void;
  /** Replaces all that waits by one resync, whose snapshot is taken when it is read. */
  resync(): void;
  /** Yields what comes until the signal aborts. */
  read(signal: AbortSignal): AsyncGenerator<StoreEvent, void>;
}

/** Options of createStoreEventQueue. */
export interface StoreEventQueueOptions {
  /** Default 4096. */
  readonly maxPending?: number;
}

/** A queue that never holds more than maxPending changes, however slow its consumer is. */
export function createStoreEventQueue(
  snapshot: () => StoreSnapshot,
  { maxPending = MAX_PENDING_EVENTS }: StoreEventQueueOptions = {},
): StoreEventQueue {
  const pending = new Map<string, StoreEvent>();
  let resyncDue = false;
  let hadResync = false;
  const added = createWakeUp();

  function take(): StoreEvent | undefined {
    if (resyncDue) {
      resyncDue = false;
      return { kind: 'resync', snapshot: snapshot() };
    }
    for (const [key, event] of pending) {
      pending.delete(key);
      return event;
    }
    return undefined;
  }

  return {
    push(event) {
      // Told of by the first resync.
      if (!hadResync) return;
      const key = subject(event);
      // Deleted first, so that the order is that of the last changes.
      pending.delete(key);
      if (pending.size >= maxPending) {
        this.resync();
        return;
      }
      // A resync that was not read yet tells of this change too.
      if (!resyncDue) pending.set(key, event);
      added.wake();
    },
    resync() {
      pending.clear();
      resyncDue = true;
      hadResync = true;
      added.wake();
    },
    async *read(signal) {
      while (!signal.aborted) {
        const event = take();
        if (event === undefined) await added.next(signal).catch(() => {});
        else yield event;
      }
    },
  };
}

function subject(event: Exclude<StoreEvent, { kind: 'resync' }>): string {
  if (event.kind === 'image-changed') return `image ${event.name}`;
  if (!('tag' in event)) return event.digest;
  const { registry, repository, tag } = event.tag;
  return routingKey({ registry, repository, tag });
}
