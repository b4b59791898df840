import type { Clock } from '../clock.ts';
import { createDeadline } from '../deadline.ts';

/** Bytes taken from a budget. */
export interface TakenBytes {
  /** Gives them back; harmless when called again. */
  release(): void;
}

/** Memory that is counted before it is allocated. */
export interface ByteBudget {
  /** Takes so many bytes; waits for its turn, undefined if that does not come in so many ms or the signal aborts first. */
  take(
    sizeBytes: number,
    limits: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<TakenBytes | undefined>;
}

/** Who waits for bytes. */
interface Waiter {
  readonly sizeBytes: number;
  readonly onTurn: () => void;
}

/** Creates a budget of so many bytes. What waits gets them in order, so that a large one is not passed over for ever. */
export function createByteBudget(clock: Clock, totalBytes: number): ByteBudget {
  let freeBytes = totalBytes;
  const waiting: Waiter[] = [];

  const grant = () => {
    for (let [first] = waiting; first !== undefined && first.sizeBytes <= freeBytes; [first] = waiting) {
      waiting.shift();
      freeBytes -= first.sizeBytes;
      first.onTurn();
    }
  };
  const taken = (sizeBytes: number): TakenBytes => {
    let isHeld = true;
    return {
      release() {
        if (!isHeld) return;
        isHeld = false;
        freeBytes += sizeBytes;
        grant();
      },
    };
  };

  return {
    async take(sizeBytes, { waitMs, signal }) {
      if (sizeBytes > totalBytes || signal.aborted) return undefined;
      if (waiting.length === 0 && sizeBytes <= freeBytes) {
        freeBytes -= sizeBytes;
        return taken(sizeBytes);
      }
      using deadline = createDeadline(clock, waitMs, signal);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const waiter = { sizeBytes, onTurn: () => resolve(true) };
      waiting.push(waiter);
      grant();
      deadline.signal.addEventListener('abort', () => resolve(false), { once: true });
      if (await promise) return taken(sizeBytes);
      waiting.splice(waiting.indexOf(waiter), 1);
      grant();
      return undefined;
    },
  };
}
