import type { Stream } from '@libp2p/interface';

import type { Timers } from '../../runtime/timers.ts';

const SECOND_MS = 1000;
/** How often it is measured what waits on streams, while anything does. */
export const FRAMES_LOOK_MS = 50;
/** A peer that takes none of its answers for so long does not want them. */
export const SLOW_READER_MS = 5 * SECOND_MS;

/** A stream on which messages wait: to be answered, or with their answers to be taken. */
export interface WaitingStream {
  /** What all connections of one address have in common. */
  readonly origin: string;
  readonly stream: Pick<Stream, 'readBufferLength' | 'writeBufferLength'>;
  /** Bytes that were read from the stream and are not handled yet. */
  readonly heldBytes: number;
  /** Since when the other side takes no answers, in ms of the clock; undefined while it does. */
  readonly stalledSinceMs: number | undefined;
  /** Has a part of what waits handled. False when there is nothing left to do now. */
  work(): boolean;
  /** Ends the stream at once. */
  reset(reason: FrameRefusal): void;
}

/** Why a stream was reset. */
export type FrameRefusal = 'frames' | 'slow_reader';

/** Bounds what all streams together hold, and shares the time between the peers that ask. */
export interface InboundFrames {
  /** The stream holds something now, or has something to do. To be called again whenever that changes. */
  waits(stream: WaitingStream): void;
  /** The stream has ended. */
  ended(stream: WaitingStream): void;
  /** Streams that were reset since the start. */
  readonly refused: Readonly<Record<FrameRefusal, number>>;
}

/** What createInboundFrames needs. */
export interface InboundFramesDeps {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  readonly timers: Timers;
  /** Runs the work when what is waiting meanwhile has had its turn. Default setImmediate. */
  readonly later?: (work: () => void) => void;
}

/**
 * What is held is measured each time that a stream has its turn, and a few times a second. When it is more than
 * `maxBytes` in all, streams of the address that holds most are reset. The addresses have their turns one after the
 * other, whatever the number of their streams. So a flood of questions delays other addresses by a few turns only.
 */
export function createInboundFrames(
  { nowMs, timers, later = setImmediate }: InboundFramesDeps,
  { maxBytes }: { readonly maxBytes: number },
): InboundFrames {
  const waiting = new Set<WaitingStream>();
  /** Address -> its streams that have something to do; the stream whose turn comes next is the first of each. */
  const queues = new Map<string, Set<WaitingStream>>();
  const refused: Record<FrameRefusal, number> = { frames: 0, slow_reader: 0 };
  let isTurning = false;
  let isLooking = false;
  let measuredMs = -Infinity;

  const sizeOf = ({ stream, heldBytes }: WaitingStream) =>
    heldBytes + stream.readBufferLength + stream.writeBufferLength;
  const enqueue = (each: WaitingStream) => {
    const queue = queues.get(each.origin) ?? new Set();
    queues.set(each.origin, queue.add(each));
  };
  const unqueue = (each: WaitingStream) => {
    const queue = queues.get(each.origin);
    queue?.delete(each);
    if (queue?.size === 0) queues.delete(each.origin);
  };
  const forget = (each: WaitingStream) => {
    waiting.delete(each);
    unqueue(each);
  };
  const reset = (each: WaitingStream, reason: FrameRefusal) => {
    refused[reason]++;
    forget(each);
    each.reset(reason);
  };
  const measure = () => {
    measuredMs = nowMs();
    let bytes = 0;
    const byOrigin = new Map<string, number>();
    for (const each of waiting) {
      const size = sizeOf(each);
      bytes += size;
      byOrigin.set(each.origin, (byOrigin.get(each.origin) ?? 0) + size);
    }
    while (bytes > maxBytes) {
      const [[greedy] = ['']] = [...byOrigin].sort(([, a], [, b]) => b - a);
      const [largest] = [...waiting]
        .filter(({ origin }) => origin === greedy)
        .sort((a, b) => sizeOf(b) - sizeOf(a));
      if (largest === undefined) return;
      const size = sizeOf(largest);
      bytes -= size;
      byOrigin.set(greedy, (byOrigin.get(greedy) ?? 0) - size);
      reset(largest, 'frames');
    }
  };
  const look = () => {
    isLooking = false;
    for (const each of waiting) {
      const { stalledSinceMs } = each;
      const stalledMs = stalledSinceMs === undefined ? 0 : nowMs() - stalledSinceMs;
      if (stalledMs >= SLOW_READER_MS) reset(each, 'slow_reader');
      // A stream that waits for its turn may have to be read from again.
      else if (sizeOf(each) === 0 && queues.get(each.origin)?.has(each) !== true) waiting.delete(each);
    }
    measure();
    lookSoon();
  };
  const lookSoon = () => {
    if (isLooking || waiting.size === 0) return;
    isLooking = true;
    timers.after(FRAMES_LOOK_MS, look);
  };
  const turn = () => {
    isTurning = false;
    // Addresses that come meanwhile have their turn the next time.
    const origins = [...queues.keys()];
    for (const origin of origins) {
      const [first] = queues.get(origin) ?? [];
      if (first === undefined) continue;
      // Behind the others of its address.
      unqueue(first);
      if (first.work()) enqueue(first);
    }
    if (nowMs() - measuredMs >= FRAMES_LOOK_MS / 2) measure();
    turnSoon();
  };
  const turnSoon = () => {
    if (isTurning || queues.size === 0) return;
    isTurning = true;
    later(turn);
  };

  return {
    refused,
    waits(stream) {
      waiting.add(stream);
      enqueue(stream);
      turnSoon();
      lookSoon();
    },
    ended: forget,
  };
}
