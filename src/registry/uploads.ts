import type { ClientResponse } from '../http/transport.ts';
import { addressShare } from '../runtime/address-share.ts';
import type { Clock } from '../runtime/clock.ts';
import { createFairShares } from '../runtime/fair-shares.ts';
import { FLOOR_ENOUGH_BYTES_PER_SECOND } from '../transfer/budgets.ts';

const SECOND_MS = 1000;
/**
 * How long an upload waits for its turn. Shorter than a node waits for a head (HEAD_TIMEOUT_MS): it is told to go elsewhere
 * before it takes this node for one that is late.
 */
const WAIT_MS = SECOND_MS / 4;
/** Uploads that wait for their turn at once: more are refused without a wait. */
const MAX_WAITING = 64;
/** A client that has taken no byte for this long gives way to those that wait. */
const STALL_MS = 3 * SECOND_MS;
/** The part of the uploads that only other nodes may have, not strangers. */
const RESERVED = 0.2;
/**
 * The least that an upload is given while a rate is set, in bytes per second: less, and the node that takes it may find this
 * node too slow to be of use, and leave it alone. More uploads than that are refused.
 */
const LEAST_BYTES_PER_SECOND = FLOOR_ENOUGH_BYTES_PER_SECOND;

/** What is given to other machines at most. */
export interface UploadLimits {
  /** Most bodies at once; 0: no cap. */
  readonly maxUploads: number;
  /** Most bytes per second of all bodies together; 0: no cap. */
  readonly bytesPerSecond: number;
}

/** Bodies that go to other nodes and to strangers. */
export interface Uploads {
  /**
   * Begins an upload, waiting a moment if there are as many as there may be; undefined if its turn does not come. Its
   * connection is held to its part of the rate. Dispose the result when the body has ended.
   */
  begin(client: ClientResponse, favoured: boolean): Promise<Disposable | undefined>;
  /** Uploads that run now. */
  readonly running: number;
}

/** An upload that runs, or whose last bytes are on their way. */
interface Upload {
  readonly client: ClientResponse;
  /** Its part of the rate now, in bytes per second. */
  rate: number;
  /** What it might have sent by `sinceMs`, in bytes. */
  allowedBytes: number;
  sinceMs: number;
}

/**
 * Caps uploads. The rate is divided evenly among those that run, and again when one begins or ends: the kernel keeps to it,
 * this thread does nothing in between. An upload ends for that when its bytes have left the kernel, not when they have been
 * handed to it: else many short bodies would not be limited at all.
 */
export function createUploads(clock: Clock, { maxUploads, bytesPerSecond }: UploadLimits): Uploads {
  const isPaced = bytesPerSecond > 0;
  const byRate = isPaced ? Math.max(1, Math.floor(bytesPerSecond / LEAST_BYTES_PER_SECOND)) : Infinity;
  const total = Math.min(maxUploads > 0 ? maxUploads : Infinity, byRate);
  const shares = Number.isFinite(total)
    ? createFairShares({
        clock,
        total,
        reserved: Math.floor(RESERVED * total),
        waitMs: WAIT_MS,
        maxWaiting: MAX_WAITING,
        stallMs: STALL_MS,
      })
    : undefined;
  const paced = new Set<Upload>();
  let running = 0;

  const settle = (upload: Upload) => {
    const now = clock.nowMs();
    upload.allowedBytes += (upload.rate * (now - upload.sinceMs)) / SECOND_MS;
    upload.sinceMs = now;
  };
  const divide = () => {
    for (const upload of paced) {
      settle(upload);
      upload.rate = bytesPerSecond / paced.size;
      upload.client.limitRate(upload.rate);
    }
  };
  /** Waits until the kernel has sent what it was given. */
  const drained = async (upload: Upload) => {
    for (;;) {
      settle(upload);
      const leftBytes = upload.client.movedBytes - upload.allowedBytes;
      if (leftBytes <= 0 || upload.client.gone.aborted) return;
      await clock.sleep((leftBytes / upload.rate) * SECOND_MS);
    }
  };

  return {
    get running() {
      return running;
    },
    async begin(client, favoured) {
      const key = addressShare(client.remoteAddress);
      const share = await shares?.enter({ key, weight: 1, favoured, owner: client });
      if (shares !== undefined && share === undefined) return undefined;
      running++;
      const upload = { client, rate: 0, allowedBytes: 0, sinceMs: clock.nowMs() };
      if (isPaced) {
        paced.add(upload);
        divide();
      }
      let isOver = false;
      const end = async () => {
        if (isPaced) await drained(upload);
        running--;
        share?.[Symbol.dispose]();
        if (paced.delete(upload)) divide();
      };
      return {
        [Symbol.dispose]() {
          if (!isOver) void end();
          isOver = true;
        },
      };
    },
  };
}
