import { describe, expect, test } from 'bun:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { StoreEvent, StoreSnapshot } from './content-store.ts';
import { createStoreEventQueue, type StoreEventQueue } from './store-event-queue.ts';

const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const added = (name: string) => ({ kind: 'blob-added', digest: digest(name) }) as const;
const removed = (name: string) => ({ kind: 'blob-removed', digest: digest(name) }) as const;
const empty: StoreSnapshot = { tags: [], blobs: new Set() };

/** All that waits now. */
async function drain(queue: StoreEventQueue): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  const abort = new AbortController();
  const reader = (async () => {
    for await (const event of queue.read(abort.signal)) events.push(event);
  })();
  // The reader takes what is there without waiting for anything but microtasks.
  await new Promise(setImmediate);
  abort.abort();
  await reader;
  return events;
}

describe('createStoreEventQueue()', () => {
  test('drops changes before the first resync, whose snapshot is taken when it is read', async () => {
    let blobs = new Set<Digest>();
    const queue = createStoreEventQueue(() => ({ ...empty, blobs }));
    queue.push(added('early'));
    expect(await drain(queue)).toEqual([]);
    queue.resync();
    blobs = new Set([digest('late')]);
    expect(await drain(queue)).toEqual([{ kind: 'resync', snapshot: { ...empty, blobs } }]);
  });

  test('keeps the last change of each subject, in the order of the last changes', async () => {
    const queue = createStoreEventQueue(() => empty);
    queue.resync();
    await drain(queue);
    for (const event of [added('a'), added('b'), removed('a')]) queue.push(event);
    expect(await drain(queue)).toEqual([added('b'), removed('a')]);
  });

  test('gives one resync instead of more changes than it may hold', async () => {
    const queue = createStoreEventQueue(() => empty, { maxPending: 3 });
    queue.resync();
    await drain(queue);
    for (const name of ['a', 'b', 'c', 'd', 'e']) queue.push(added(name));
    expect(await drain(queue)).toEqual([{ kind: 'resync', snapshot: empty }]);
    queue.push(added('f'));
    expect(await drain(queue)).toEqual([added('f')]);
  });
});
