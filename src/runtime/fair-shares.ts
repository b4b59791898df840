import type { Clock } from './clock.ts';
import { type MemoryRoom, PLENTY_OF_ROOM } from './memory/memory-room.ts';

/** What is asked for a share. */
export interface ShareRequest {
  /** What is counted together, such as addressShare() of a client. */
  readonly key: string;
  /** How much of the total it takes, in its unit; more than the total counts as the total. */
  readonly weight: number;
  /** May take what is reserved. Default false. */
  readonly favoured?: boolean | undefined;
  /** A favoured request that comes before all others, and may take what is reserved for such. Default false. */
  readonly isFirst?: boolean | undefined;
  /** False: what is not free is not waited for. Default true. */
  readonly mayWait?: boolean | undefined;
  /** What the share is for. Default: something that does not end before its time, and never stalls. */
  readonly owner?: ShareOwner | undefined;
}

/** What a share is for, such as the response to a client. */
export interface ShareOwner {
  /** It needs no share any more. Read only when one has to be waited for. */
  readonly gone: AbortSignal;
  /** For how long it has made no progress by its own fault, in ms. */
  readonly stalledMs: number;
  /** Has it give its share back, soon. Called when it is stalled and others wait. */
  breakOff(): void;
}

/** A share that is held. Disposing it gives it back; harmless twice. */
export type HeldShare = Disposable;

/** Something limited that many share, and of which none may take everything. */
export interface FairShares {
  /**
   * A share, at once if one is free, else waiting for it; undefined if there was none in time, if too many wait, if the owner
   * goes, or if the request may not wait. What is free is given to an owner that was gone before, too.
   */
  enter(request: ShareRequest): HeldShare | Promise<HeldShare | undefined>;
  /** How much is held. */
  readonly held: number;
  /** How many wait. */
  readonly waiting: number;
}

/** Options of createFairShares. */
export interface FairSharesOptions {
  readonly clock: Clock;
  /** All there is, in the unit of the weights. */
  readonly total: number;
  /** Part of the total that only favoured requests may take. */
  readonly reserved: number;
  /** Part of that which only requests that come first may take. Default 0. */
  readonly reservedForFirst?: number | undefined;
  /** How long a request waits at most. */
  readonly waitMs: number;
  /**
   * How many wait at most; three quarters of them where they are not favoured, and fewer while memory is short. Half of that
   * for the same key.
   */
  readonly maxWaiting: number;
  /** A holder that has made no progress for this long gives way to those that wait. */
  readonly stallMs: number;
  /** How much of what is not reserved may be handed out just now. Default all of it. */
  readonly room?: MemoryRoom | undefined;
}

/**
 * A key may hold so many times what is free: three quarters for the only key, and something is left for a key that comes
 * later, however many came before (dynamic thresholds, as switches share their buffers).
 */
const SHARE_OF_FREE = 3;
/** Part of those that may wait that need not be favoured: others must not fill the queue before these. */
const WAITING_FOR_ALL = 0.75;
/** The same for favoured requests that do not come first. */
const WAITING_FOR_FAVOURED = 0.9;
/** When memory is short a holder gives way after this part of the time. */
const SHORT_STALL = 0.25;
/** How often stalled holders are looked for while others wait, or memory is short. */
const EVICT_INTERVAL_MS = 250;

/** A holder. A class, because each request to the registry makes such objects. */
class Holder implements Disposable {
  readonly request: ShareRequest;
  readonly weight: number;
  readonly #giveBack: (holder: Holder) => void;

  constructor(request: ShareRequest, weight: number, giveBack: (holder: Holder) => void) {
    this.request = request;
    this.weight = weight;
    this.#giveBack = giveBack;
  }

  [Symbol.dispose](): void {
    this.#giveBack(this);
  }
}

/** A request that waits. */
interface Waiting {
  readonly request: ShareRequest;
  readonly grant: (share: HeldShare) => void;
}

/**
 * Divides `total` fairly between keys: whatever is free goes to a request that comes first, else to the key that holds the least of
 * those that wait.
 */
export function createFairShares({
  clock,
  total,
  reserved,
  reservedForFirst = 0,
  waitMs,
  maxWaiting,
  stallMs,
  room = PLENTY_OF_ROOM,
}: FairSharesOptions): FairShares {
  const heldByKey = new Map<string, number>();
  const holders = new Set<Holder>();
  const waiting = new Set<Waiting>();
  let held = 0;
  let isEvicting = false;

  const forStrangers = () => Math.floor(room.share() * (total - reserved));
  const isShort = () => room.share() < 1 && held > forStrangers();
  const heldBy = (key: string) => heldByKey.get(key) ?? 0;
  const totalFor = ({ favoured, isFirst }: ShareRequest) => {
    if (isFirst === true) return total;
    return total - (favoured === true ? reservedForFirst : reserved);
  };
  const weightOf = (request: ShareRequest) => Math.min(request.weight, totalFor(request));
  const fits = (request: ShareRequest) => {
    const weight = weightOf(request);
    const free = (request.favoured === true ? totalFor(request) : forStrangers()) - held;
    const ofKey = heldBy(request.key);
    // When nothing is held the largest request has its turn, too, however short memory is.
    if (held === 0) return true;
    // A key that holds nothing gets what there is.
    return weight <= free && (ofKey === 0 || ofKey + weight <= SHARE_OF_FREE * free);
  };
  const hold = (request: ShareRequest): HeldShare => {
    const { key } = request;
    const weight = weightOf(request);
    held += weight;
    heldByKey.set(key, heldBy(key) + weight);
    const holder = new Holder(request, weight, giveBack);
    holders.add(holder);
    return holder;
  };
  const giveBack = (holder: Holder) => {
    if (!holders.delete(holder)) return;
    const { request, weight } = holder;
    const { key } = request;
    held -= weight;
    const left = heldBy(key) - weight;
    if (left > 0) heldByKey.set(key, left);
    else heldByKey.delete(key);
    serveWaiting();
  };
  const comesBefore = ({ request: one }: Waiting, { request: other }: Waiting) => {
    if (one.isFirst !== other.isFirst) return one.isFirst === true;
    return heldBy(one.key) < heldBy(other.key);
  };
  const serveWaiting = () => {
    while (waiting.size > 0) {
      let next: Waiting | undefined;
      for (const each of waiting) {
        if (fits(each.request) && (next === undefined || comesBefore(each, next))) next = each;
      }
      if (next === undefined) return;
      waiting.delete(next);
      next.grant(hold(next.request));
    }
  };
  /**
   * While requests wait, or more is held than may be just now: those that stall give way, first those of the key that holds
   * the most.
   */
  const evictStalled = async () => {
    if (isEvicting) return;
    isEvicting = true;
    while (waiting.size > 0 || isShort()) {
      const mustShrink = isShort();
      const hasStalled = ({ request }: Holder) => {
        const stalledMs = request.owner?.stalledMs ?? 0;
        // Favoured holders give way to requests that wait only.
        if (request.favoured === true) return waiting.size > 0 && stalledMs >= stallMs;
        return stalledMs >= (mustShrink ? SHORT_STALL * stallMs : stallMs);
      };
      const stalled = [...holders].filter(hasStalled);
      stalled.sort((a, b) => heldBy(b.request.key) - heldBy(a.request.key));
      let count = 0;
      let excess = mustShrink ? held - forStrangers() : 0;
      for (const { request } of stalled) {
        const isInExcess = excess > 0 && request.favoured !== true;
        if (count >= waiting.size && !isInExcess) continue;
        count += 1;
        excess -= weightOf(request);
        request.owner?.breakOff();
      }
      await clock.sleep(EVICT_INTERVAL_MS);
      serveWaiting();
    }
    isEvicting = false;
  };

  /** Waits for a share, if it may. */
  const waitFor = async (request: ShareRequest): Promise<HeldShare | undefined> => {
    const { key, owner, mayWait = true } = request;
    const signal = mayWait ? owner?.gone : undefined;
    if (!mayWait || signal?.aborted === true) return undefined;
    let sameKey = 0;
    for (const each of waiting) if (each.request.key === key) sameKey += 1;
    const forAll = Math.max(1, Math.floor(room.share() * WAITING_FOR_ALL * maxWaiting));
    const forFavoured = request.isFirst === true ? maxWaiting : Math.ceil(WAITING_FOR_FAVOURED * maxWaiting);
    const most = request.favoured === true ? forFavoured : forAll;
    if (waiting.size >= most || sameKey >= most / 2) return undefined;

    const { promise, resolve } = Promise.withResolvers<HeldShare | undefined>();
    const entry: Waiting = { request, grant: resolve };
    waiting.add(entry);
    const giveUp = () => {
      if (waiting.delete(entry)) resolve(undefined);
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    const cancel = clock.after(waitMs, giveUp);
    void evictStalled();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', giveUp);
      cancel();
    }
  };

  return {
    get held() {
      return held;
    },
    get waiting() {
      return waiting.size;
    },
    enter(request) {
      // What is free was offered to those that wait: they need more than that. There may be more room than a moment ago.
      serveWaiting();
      if (!fits(request)) return waitFor(request);
      const share = hold(request);
      if (isShort()) void evictStalled();
      return share;
    },
  };
}
