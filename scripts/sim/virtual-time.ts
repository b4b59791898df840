import { type Clock, unlessAborted } from '../../src/runtime/clock.ts';
import type { Timers } from '../../src/runtime/timers.ts';

/** Time that passes when everything that was due has been done. */
export interface VirtualTime {
  nowMs(): number;
  /** Does the work once so many ms from now; the result calls that off. */
  after(ms: number, work: () => void): () => void;
  /** Clock and timers for one process: what it waits for does not come once it is gone. */
  ofProcess(isGone: () => boolean): { readonly clock: Clock; readonly timers: Timers };
  /** Lets so many ms pass. */
  pass(ms: number): Promise<void>;
}

interface Event {
  work: (() => void) | undefined;
}

/** Steps in a millisecond. What is due in the same step is done in the order in which it was asked for. */
const STEPS_PER_MS = 10;

/** Makes time that begins at 0 ms. */
export function createVirtualTime(): VirtualTime {
  let step = 0;
  const events = new Map<number, Event[]>();
  const steps = createHeap();
  const nowMs = () => step / STEPS_PER_MS;

  const after = (ms: number, work: () => void) => {
    const due = step + Math.max(0, Math.ceil(ms * STEPS_PER_MS));
    const event: Event = { work };
    const others = events.get(due);
    if (others === undefined) {
      events.set(due, [event]);
      steps.push(due);
    } else others.push(event);
    return () => {
      event.work = undefined;
    };
  };
  const time: VirtualTime = {
    nowMs,
    after,
    ofProcess(isGone) {
      const afterWhile = (ms: number, work: () => void) =>
        after(ms, () => {
          if (!isGone()) work();
        });
      return {
        timers: { after: afterWhile },
        clock: {
          nowMs,
          sleep: async (ms, signal) => unlessAborted(signal, (resolve) => afterWhile(ms, resolve)),
          after: afterWhile,
        },
      };
    },
    async pass(ms) {
      const until = step + Math.ceil(ms * STEPS_PER_MS);
      for (;;) {
        // A turn of the event loop: everything that waits for no time gets to run, in an order that is always the same.
        await new Promise(setImmediate);
        // What was called off changes nothing: most timers are.
        let batch: readonly Event[] = [];
        let due = steps.peek();
        while (due !== undefined && due <= until && !batch.some(({ work }) => work !== undefined)) {
          steps.pop();
          batch = events.get(due) ?? [];
          events.delete(due);
          step = due;
          due = steps.peek();
        }
        if (!batch.some(({ work }) => work !== undefined)) break;
        for (const { work } of batch) work?.();
      }
      step = until;
    },
  };
  return time;
}

/** Numbers, of which the smallest comes first. */
function createHeap() {
  const heap: number[] = [];
  const at = (index: number) => heap[index] ?? Infinity;
  return {
    peek: () => heap[0],
    push(value: number) {
      let index = heap.length;
      heap.push(value);
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (at(parent) <= value) break;
        heap[index] = at(parent);
        index = parent;
      }
      heap[index] = value;
    },
    pop() {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      let index = 0;
      for (;;) {
        const left = 2 * index + 1;
        if (left >= heap.length) break;
        const child = at(left + 1) < at(left) ? left + 1 : left;
        if (at(child) >= last) break;
        heap[index] = at(child);
        index = child;
      }
      heap[index] = last;
    },
  };
}
