import { abortable } from '../../runtime/abortable.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createDeadline } from '../../runtime/deadline.ts';
import { createSemaphore } from '../../runtime/semaphore.ts';

const SECOND_MS = 1000;
/** Peers that records are sent to at a time. */
export const CONCURRENT_SENDS = 16;
/** A peer that has not taken its records by then leaves its slot to the next: peers that hang must not keep all others waiting. */
export const SEND_SLOT_MS = 1 * SECOND_MS;
/** Peers that have left their slot so, at most: where all are busy more at a time would cost them more of what they lack. */
export const MAX_SLOW_SENDS = 64;

/** Paces what is sent to peers. */
export interface SendSlots {
  /** Calls `send` when a slot is free, and settles as it does. Rejects with the reason of the signal. */
  use(send: () => Promise<void>): Promise<void>;
}

/** Makes the slots. Once the signal aborts nothing is sent any more. */
export function createSendSlots(clock: Clock, signal: AbortSignal): SendSlots {
  const slots = createSemaphore(CONCURRENT_SENDS);
  /** Sends that have left their slot. */
  let slowSends = 0;
  return {
    async use(send) {
      let sent = Promise.resolve();
      await slots.use(async () => {
        signal.throwIfAborted();
        sent = send();
        using slot = createDeadline(clock, SEND_SLOT_MS, signal);
        await abortable(sent, slot.signal).catch(() => {});
        if (slowSends >= MAX_SLOW_SENDS) await sent.catch(() => {});
      });
      slowSends++;
      await sent.finally(() => slowSends--);
    },
  };
}
