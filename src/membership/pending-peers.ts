/** Addresses that connected and are not known as a member's. */
export interface PendingPeers {
  /** How many are pending peers now. */
  readonly pendingCount: number;
  /** True if the address is a pending peer's now. */
  isPending(ip: string): boolean;
  /** A peer is there: writes the address down if it is new. */
  arrive(ip: string, nowMs: number): 'pending' | 'denied';
  /** How the address is written down. An address that is not written down has not tried yet. */
  standing(ip: string): 'pending' | 'denied';
  /** Writes it down as denied. */
  refuse(ip: string, nowMs: number): void;
  /** Takes it out: it is a member's. */
  forget(ip: string): void;
  /**
   * The source has told of such addresses and named none of these. Addresses that had their time are denied now;
   * returns them.
   */
  judge(isTold: (ip: string) => boolean, nowMs: number): readonly string[];
  /** When to ask the source about the addresses that are waiting; Infinity when none is. */
  nextQuestionMs(): number;
  /** The source was asked just now: the next time in a while. */
  asked(nowMs: number): void;
}

/** Tunables of a book of pending peers. */
export interface PendingPeersOptions {
  /** How long a pending peer may stay. */
  readonly pendingMs: number;
  /** Wait between the first two questions about a pending peer; doubled each time. */
  readonly firstWaitMs: number;
  readonly maxWaitMs: number;
}

/** Addresses that are written down at most. While there is no room, further addresses are not pending. */
const MAX_ADDRESSES = 1024;
/** A denied address that did not try for this long may be pending again: it may be another node's by now. */
const FORGET_STRANGER_MS = 10 * 60 * 1000;

interface Entry {
  readonly sinceMs: number;
  lastMs: number;
  isRefused: boolean;
  nextQuestionMs: number;
  waitMs: number;
}

/** Makes an empty book. */
export function createPendingPeers({ pendingMs, firstWaitMs, maxWaitMs }: PendingPeersOptions): PendingPeers {
  const entries = new Map<string, Entry>();
  const waiting = () => [...entries.values()].filter(({ isRefused }) => !isRefused);
  let nextRoomMs = -Infinity;
  const makeRoom = (nowMs: number) => {
    if (entries.size < MAX_ADDRESSES) return true;
    // Looking through all addresses for each of a flood of other addresses would do the work of the flood.
    if (nowMs < nextRoomMs) return false;
    nextRoomMs = nowMs + firstWaitMs;
    for (const [ip, { isRefused, lastMs }] of entries) {
      if (isRefused && nowMs - lastMs >= FORGET_STRANGER_MS) entries.delete(ip);
    }
    return entries.size < MAX_ADDRESSES;
  };
  const write = (ip: string, nowMs: number, isRefused: boolean) => {
    entries.set(ip, {
      sinceMs: nowMs,
      lastMs: nowMs,
      isRefused,
      nextQuestionMs: nowMs,
      waitMs: firstWaitMs,
    });
  };

  return {
    get pendingCount() {
      return waiting().length;
    },
    isPending: (ip) => entries.get(ip)?.isRefused === false,
    arrive(ip, nowMs) {
      const entry = entries.get(ip);
      const isOld = entry?.isRefused === true && nowMs - entry.lastMs >= FORGET_STRANGER_MS;
      if (entry === undefined || isOld) {
        if (entry === undefined && !makeRoom(nowMs)) return 'denied';
        write(ip, nowMs, false);
        return 'pending';
      }
      entry.lastMs = nowMs;
      // The address may be a new node's by now: the source is asked again, ever more rarely.
      if (entry.isRefused) entry.nextQuestionMs = Math.min(entry.nextQuestionMs, nowMs + entry.waitMs);
      return entry.isRefused ? 'denied' : 'pending';
    },
    standing: (ip) => (entries.get(ip)?.isRefused === true ? 'denied' : 'pending'),
    refuse(ip, nowMs) {
      if (!entries.has(ip) && !makeRoom(nowMs)) return;
      write(ip, nowMs, true);
    },
    forget(ip) {
      entries.delete(ip);
    },
    judge(isTold, nowMs) {
      const judged: string[] = [];
      for (const [ip, entry] of entries) {
        if (entry.isRefused || nowMs - entry.sinceMs < pendingMs || !isTold(ip)) continue;
        entry.isRefused = true;
        entry.nextQuestionMs = Infinity;
        judged.push(ip);
      }
      return judged;
    },
    nextQuestionMs: () =>
      Math.min(Infinity, ...[...entries.values()].map(({ nextQuestionMs }) => nextQuestionMs)),
    asked(nowMs) {
      for (const entry of entries.values()) {
        if (entry.nextQuestionMs > nowMs) continue;
        entry.nextQuestionMs = entry.isRefused ? Infinity : nowMs + entry.waitMs;
        entry.waitMs = Math.min(2 * entry.waitMs, maxWaitMs);
      }
    },
  };
}
