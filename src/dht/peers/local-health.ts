const SECOND_MS = 1000;
/** Lateness that timers have on a machine with little to do. */
const USUAL_LATENESS_MS = 20;
/** A node whose own timers are that late is too busy to say of others that they do not answer. */
const BUSY_MS = SECOND_MS;
/** A node whose own timers are that late is too busy to alarm others about peers. */
const LATE_MS = SECOND_MS / 4;
/** A probe takes longer by so many times the lateness of timers: it wakes a process at either end. */
const DELAY_FACTOR = 2;
/** After this time a lateness counts half. */
const HALF_LIFE_MS = SECOND_MS;

/** How well this node itself does, by how late its timers are. Where nodes share few cores, the others' are as late. */
export interface LocalHealth {
  /** True when the others may be alarmed about peers that do not answer: it is not this node that is late. */
  readonly isWell: boolean;
  /** How long to wait for what takes no longer than `ms` where no node is busy, in ms. */
  timeoutFor(ms: number): number;
  /**
   * A timer came `lateMs` too late, `passedMs` after the last that was noted. Returns `stopped` when it was so late
   * that this node stood still: then the other nodes have to get another chance.
   */
  noteTimer(lateMs: number, passedMs: number): 'went on' | 'stopped';
}

/** Starts in good health. */
export function createLocalHealth(): LocalHealth {
  /** How late timers were lately, in ms. */
  let delayMs = 0;
  return {
    get isWell() {
      return delayMs < LATE_MS;
    },
    timeoutFor: (ms) => ms + DELAY_FACTOR * delayMs,
    noteTimer(lateMs, passedMs) {
      const pastMs = delayMs * 0.5 ** (passedMs / HALF_LIFE_MS);
      // After a longer pause the other nodes get another chance.
      const nowLateMs = lateMs > USUAL_LATENESS_MS ? Math.min(lateMs, BUSY_MS) : 0;
      delayMs = Math.max(nowLateMs, pastMs);
      return lateMs > BUSY_MS ? 'stopped' : 'went on';
    },
  };
}
