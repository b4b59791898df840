import type { PaceJudge } from '../http/transport.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import {
  CONGESTED_BYTES_PER_SECOND,
  CONGESTED_WINDOW_MS,
  FLOOR_BYTES_PER_SECOND,
  FLOOR_CHECK_MS,
  FLOOR_ENOUGH_BYTES_PER_SECOND,
  FLOOR_HOSTS,
  FLOOR_LEAST_BYTES_PER_SECOND,
  FLOOR_MEMORY_MS,
  FLOOR_RATIO,
  FLOOR_SAMPLE_BYTES,
  FLOOR_UNEVENNESS,
  FLOOR_WINDOW_MS,
  STALL_TIMEOUT_MS,
} from './budgets.ts';

/** Judges one body from one host. */
export interface BodyPace extends PaceJudge {
  /** The body's move has ended after so many bytes; call it once, however it ended. */
  ended(movedBytes: number): void;
}

/** What a body must get from its peer to be worth waiting for. */
export interface ThroughputFloor {
  /** Starts to judge a body from the host. */
  watch(host: string): BodyPace;
  /** What the host gave lately, to all its bodies together, in bytes per second; undefined: that was not measured. */
  givenBy(host: string): number | undefined;
}

/** A body at one check. */
interface Check {
  /** Waiting for the source so far. */
  readonly waitedMs: number;
  readonly movedBytes: number;
  /** The most bodies that waited for their sources since the check before. */
  sharers: number;
}

/** Checks between which there was less waiting are one: a client that reads slowly must not make them many. */
const CHECK_WAITED_MS = FLOOR_CHECK_MS / 2;
/** The most waiting that one check counts. */
const LONGEST_CHECK_MS = 2 * FLOOR_CHECK_MS;
const SECOND_MS = 1000;

/** A body as the others see it. */
interface Watched {
  readonly host: string;
  /** It spends most of its time waiting for its source: it has a share of the link, or would take one. */
  isWaiting: boolean;
  /** Over the longer window: TCP gives what it has in lumps when packets are lost. */
  bytesPerSecond: number;
}

/**
 * Creates the floor. It is relative: a body is too slow when it gets a small part of what other hosts gave this node
 * lately, divided by the bodies that share the link now. And absolute: bodies that do not get 1 Mbit/s together, or one
 * that gets next to nothing beside the others. A source that drips is found out in 1.5 s of waiting for it, a silent one
 * in 1 s. Only where many share a slow link, and one of them may get nothing for a while, that takes 5 s.
 */
export function createThroughputFloor(clock: Clock): ThroughputFloor {
  const watched = new Set<Watched>();
  /** What each host gave, to all its bodies together. */
  const givenBy = new Map<string, { readonly bytesPerSecond: number; readonly atMs: number }>();

  const waiting = (host?: string) =>
    [...watched].filter((body) => body.isWaiting && (host === undefined || body.host === host));
  const sharing = () => Math.max(1, waiting().length);
  /** What all bodies that wait get, or those of one host, in bytes per second. */
  const together = (host?: string) => waiting(host).reduce((sum, body) => sum + body.bytesPerSecond, 0);
  const remember = (host: string, bytesPerSecond: number) =>
    lruSet(givenBy, host, { bytesPerSecond, atMs: clock.nowMs() }, FLOOR_HOSTS);
  const givenByOthers = (host: string): number => {
    const sinceMs = clock.nowMs() - FLOOR_MEMORY_MS;
    const rates = [...givenBy]
      .filter(([other, { atMs }]) => other !== host && atMs > sinceMs)
      .map(([, { bytesPerSecond }]) => bytesPerSecond)
      .toSorted((a, b) => a - b);
    return rates[Math.floor((rates.length - 1) / 2)] ?? 0;
  };
  /** What a body gets on the average; some of those that shared the link with them may have ended since. */
  const average = () => together() / sharing();
  /** True if that is enough for one of so many. */
  const isUseful = (sharers: number) => sharers > 1 && average() >= FLOOR_BYTES_PER_SECOND / sharers;
  /** The floor of one of so many bodies. */
  const floorOf = (host: string, sharers: number): number => {
    const absolute = FLOOR_BYTES_PER_SECOND / (isUseful(sharers) ? FLOOR_UNEVENNESS : 1);
    const relative = Math.min(givenByOthers(host) / FLOOR_RATIO, FLOOR_ENOUGH_BYTES_PER_SECOND);
    return Math.max(FLOOR_LEAST_BYTES_PER_SECOND, Math.max(absolute, relative) / sharers);
  };

  return {
    givenBy(host) {
      const given = givenBy.get(host);
      return given !== undefined && given.atMs > clock.nowMs() - FLOOR_MEMORY_MS
        ? given.bytesPerSecond
        : undefined;
    },
    watch(host) {
      const self: Watched = { host, isWaiting: true, bytesPerSecond: 0 };
      watched.add(self);
      const startedMs = clock.nowMs();
      let checks: Check[] = [{ waitedMs: 0, movedBytes: 0, sharers: sharing() }];
      let checkedMs = startedMs;
      let seenWaitedMs = 0;
      let waitedMs = 0;
      let last = { movedBytes: 0, waitedMs: 0 };
      let isMeasured = false;

      const add = (movedBytes: number): void => {
        const before = checks.at(-1);
        const sharers = sharing();
        if (before !== undefined && waitedMs - before.waitedMs < CHECK_WAITED_MS) {
          before.sharers = Math.max(before.sharers, sharers);
        } else checks.push({ waitedMs, movedBytes, sharers });
        const start = startOf(CONGESTED_WINDOW_MS);
        if (start > 0) checks = checks.slice(start);
      };
      /** Where the window of so much waiting starts, -1 if there was less. */
      const startOf = (windowMs: number) =>
        checks.findLastIndex((check) => waitedMs - check.waitedMs >= windowMs);
      /** What came since a check, in bytes per second. */
      const rateSince = (start: number, movedBytes: number): number => {
        const check = checks[Math.max(0, start)];
        if (check === undefined || check.waitedMs === waitedMs) return 0;
        return ((movedBytes - check.movedBytes) / (waitedMs - check.waitedMs)) * SECOND_MS;
      };

      return {
        everyMs: FLOOR_CHECK_MS,
        judge(progress) {
          const { movedBytes } = progress;
          const passedMs = clock.nowMs() - checkedMs;
          checkedMs += passedMs;
          // While this process did not get to run, the bytes may have lain there.
          const moreMs = Math.min(progress.waitedMs - seenWaitedMs, LONGEST_CHECK_MS);
          seenWaitedMs = progress.waitedMs;
          waitedMs += moreMs;
          self.isWaiting = moreMs >= Math.min(passedMs, LONGEST_CHECK_MS) / 2;
          add(movedBytes);
          if (movedBytes > last.movedBytes) last = { movedBytes, waitedMs };
          const shortStart = startOf(FLOOR_WINDOW_MS);
          self.bytesPerSecond = rateSince(startOf(CONGESTED_WINDOW_MS), movedBytes);
          // Those that shared the link a moment ago took their part of it.
          const sharers = Math.max(...checks.map((check) => check.sharers));
          const congested = isUseful(sharers) && average() < CONGESTED_BYTES_PER_SECOND;
          if (waitedMs - last.waitedMs >= (congested ? CONGESTED_WINDOW_MS : STALL_TIMEOUT_MS)) {
            return 'stalled';
          }
          if (shortStart === -1) return undefined;
          isMeasured = true;
          remember(host, together(host));
          const start = congested ? startOf(CONGESTED_WINDOW_MS) : shortStart;
          if (start === -1) return undefined;
          const bytesPerSecond = rateSince(start, movedBytes);
          if (bytesPerSecond >= FLOOR_ENOUGH_BYTES_PER_SECOND) return undefined;
          return bytesPerSecond < floorOf(host, sharers) ? 'slow' : undefined;
        },
        ended(movedBytes) {
          watched.delete(self);
          if (isMeasured || movedBytes < FLOOR_SAMPLE_BYTES) return;
          remember(host, (movedBytes / Math.max(1, clock.nowMs() - startedMs)) * SECOND_MS);
        },
      };
    },
  };
}
