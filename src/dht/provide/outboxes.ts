import { createBackoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Delivery } from './delivery.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import type { ProvidedKeys } from './provided-keys.ts';
import type { ReproviderNetwork, ReproviderObserver } from './reprovider-contract.ts';
import { createSendSlots } from './send-slots.ts';

const SECOND_MS = 1000;
/**
 * Records that are sent to one peer before its answer is awaited: some 55 KB, so that a lookup does not wait long
 * behind them.
 */
export const RECORDS_PER_SEND = 500;
/**
 * Tries per peer that is not connected before it counts as gone. When it comes back it gets its records as a new peer.
 */
export const SEND_ATTEMPTS = 3;
/** First wait before a peer is tried again. */
const SEND_RETRY_INITIAL_MS = 250;
/** Longest wait before a peer is tried again. */
const SEND_RETRY_MAX_MS = 5 * SECOND_MS;

/** What waits to be sent, by peer. */
export interface Outboxes {
  /** Sends the records of the keys to the peer, with what waits for it already. */
  put(peerId: string, keys: readonly string[], delivery?: Delivery): void;
  /** True while records wait for the peer, or are being sent. */
  has(peerId: string): boolean;
  /** How many records wait, for all peers together. */
  waiting(): number;
}

/** What createOutboxes needs. */
export interface OutboxesDeps {
  readonly network: Pick<ReproviderNetwork, 'connect' | 'send' | 'isConnected' | 'gone'>;
  /** What is not provided any more when its turn comes is not sent. */
  readonly keys: Pick<ProvidedKeys, 'get'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: ReproviderObserver | undefined;
  /** Follows work that goes on by itself. */
  readonly inBackground: (work: Promise<void>) => void;
}

/**
 * Makes the outboxes. A peer has an outbox while records wait for it, which is emptied in batches. A peer that does not
 * take them is tried again with growing waits, as long as it is connected, else SEND_ATTEMPTS times.
 */
export function createOutboxes(
  { network, keys, clock, random, observer, inBackground }: OutboxesDeps,
  { sendRetryInitialMs = SEND_RETRY_INITIAL_MS }: { readonly sendRetryInitialMs?: number | undefined },
  signal: AbortSignal,
): Outboxes {
  const outboxes = new Map<string, Outbox>();
  const slots = createSendSlots(clock, signal);
  const isProvided = (key: string) => keys.get(key) !== undefined;

  const empty = async (peerId: string, outbox: Outbox) => {
    const backoff = createBackoff({ initialMs: sendRetryInitialMs, maxMs: SEND_RETRY_MAX_MS, random });
    let failures = 0;
    while (outbox.size > 0) {
      const batch = outbox.first(RECORDS_PER_SEND);
      const multihashes = batch.flatMap(([key]) => keys.get(key)?.multihash ?? []);
      try {
        // Not in a slot: peers that are connected need not wait behind dials.
        await network.connect(peerId);
        await slots.use(async () => network.send(peerId, multihashes, signal));
      } catch (cause) {
        signal.throwIfAborted();
        failures++;
        outbox.refused(batch, cause, isProvided);
        if (failures >= SEND_ATTEMPTS && !network.isConnected(peerId)) {
          network.gone(peerId, cause);
          return;
        }
        await clock.sleep(backoff.nextMs(), signal);
        continue;
      }
      failures = 0;
      observer?.recordsSent(multihashes.length);
      outbox.taken(batch);
    }
  };
  const emptyAndForget = async (peerId: string, outbox: Outbox) => {
    try {
      await empty(peerId, outbox);
    } finally {
      outboxes.delete(peerId);
      outbox.abandon(new Error('The peer is gone'));
    }
  };

  return {
    put(peerId, names, delivery) {
      const existing = outboxes.get(peerId);
      const outbox = existing ?? createOutbox();
      for (const key of names) outbox.put(key, delivery);
      if (existing !== undefined) return;
      outboxes.set(peerId, outbox);
      inBackground(emptyAndForget(peerId, outbox));
    },
    has: (peerId) => outboxes.has(peerId),
    waiting() {
      let waiting = 0;
      for (const outbox of outboxes.values()) waiting += outbox.size;
      return waiting;
    },
  };
}
