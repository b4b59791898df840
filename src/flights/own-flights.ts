import type { Digest } from '../oci/digest.ts';
import { countDown, countUp } from '../runtime/key-counts.ts';
import { createDeadline, type Deadline } from '../runtime/deadline.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import type { Download } from '../store/downloads.ts';
import { isStored } from '../store/is-stored.ts';
import type { FlightReport } from './flight-messages.ts';
import { TOWERS } from './flight-seat.ts';
import type { OwnFlights, OwnFlightsDeps } from './own-flights-contract.ts';
import { createIntake } from './intake.ts';
import { createProgress, type Progress } from './progress.ts';
import { RUNNING_DELAY_MS } from './report-queue.ts';

const SECOND_MS = 1000;
/** A root tells the towers so often that it goes on: five times within the lease. */
const RENEW_EVERY_MS = 0.4 * SECOND_MS;
/** A child tells them so often. */
const CHILD_RENEW_EVERY_MS = 2 * SECOND_MS;
/** A download that its client has not begun after this node sent it upstream: it will not. */
const APPEAR_WITHIN_MS = 1 * SECOND_MS;
/** A download that waits for its turn does so in vain when nothing at all has come from upstream for so long. */
const QUEUE_STALL_MS = 20 * SECOND_MS;
/** The same when those that had begun stand still. */
const QUEUE_STALL_BEHIND_MS = 4 * SECOND_MS;
/** The store knows of a blob within so long after its download is gone, if it was committed. */
const COMMIT_WITHIN_MS = 1 * SECOND_MS;
/** How often it is looked for. */
const LOOK_FOR_COMMIT_MS = 20;
/** The store answers within so long, or is asked again: the leases of other flights must not run out meanwhile. */
const STORE_TIMEOUT_MS = 0.3 * SECOND_MS;
/** Downloads that were there when this process was started are all seen after so long, in ms. */
const ADOPT_AFTER_MS = [0.3 * SECOND_MS, 1 * SECOND_MS];
/** containerd downloads so many layers at a time, if it is not told otherwise: those that were sent upstream first. */
const CONTAINERD_SLOTS = 3;
/** What is left of a download that goes past this mirror, at least, in bytes: small ones are over before it is told. */
const LEAST_ADOPTED_BYTES = 4 * 1024 * 1024;
/** Flights of this node at a time. Of more, others are not told. */
const MAX_OWN_FLIGHTS = 500;

interface OwnFlight {
  readonly digest: Digest;
  isRoot: boolean;
  takenMs: number;
  /** There was a download. */
  hasAppeared: boolean;
  /** When there was no download (any more). */
  goneMs: number | undefined;
  toldMs: number;
  writtenBytes: number;
  /** Of these, those that were there before, or that the intake knows. */
  notedBytes: number;
  hasBegun: boolean;
  /** Nothing has come since this node's client was told where to take it from: with containerd 2.1 it waits for its turn. */
  isQueued: boolean;
  isStuck: boolean;
  /** All bytes are there: the client verifies and commits them. */
  isWhole: boolean;
  /** The client asks for one part after the other, and may wait for its turn between two. */
  isInRanges: boolean;
  /** The client was given its last body, and left it. */
  isLeft: boolean;
  /** This process was not asked for it. */
  isAdopted: boolean;
  readonly isManifest: boolean;
  readonly progress: Progress;
}

/** True for a download that goes past this mirror and is worth telling of. */
function isForOthers({ isRunning, sizeBytes = 0, writtenBytes }: Download): boolean {
  return isRunning && writtenBytes > 0 && sizeBytes - writtenBytes >= LEAST_ADOPTED_BYTES;
}

/** Makes the record of what this node downloads. */
export function createOwnFlights({
  network,
  tower,
  store,
  adoptsDownloads,
  clock,
  logger,
}: OwnFlightsDeps): OwnFlights {
  const flights = new Map<Digest, OwnFlight>();
  /** Requests of this node's client that wait to be told where to take the digest from. */
  const asking = new Map<Digest, number>();
  const endListeners = new Set<(digest: Digest, isThere: boolean) => void>();
  /** Flights that something has happened to. */
  const due = new Set<Digest>();
  /** Flights whose download is not there any more: of their commit nothing tells. */
  const gone = new Set<Digest>();
  let goneLookedMs = -Infinity;
  const changed = createWakeUp();
  const intake = createIntake();
  /** When anything came from upstream last, for a download that neither stands still nor crawls. */
  let intakeMs = -Infinity;
  /** When any download grew last. */
  let grownMs = -Infinity;

  const tell = (flight: OwnFlight, state: FlightReport['state'], isInRecords = false) => {
    const { digest, isRoot, hasBegun, writtenBytes } = flight;
    flight.toldMs = clock.nowMs();
    for (const name of network.towersOf(digest, TOWERS)) {
      const report = { digest, state, isRoot, hasBegun, writtenBytes };
      if (name === network.self) tower.report(name, report);
      else network.report(name, report, isInRecords);
    }
  };
  const end = (flight: OwnFlight, state: 'done' | 'aborted') => {
    flights.delete(flight.digest);
    gone.delete(flight.digest);
    const { isManifest, isStuck, isAdopted, takenMs } = flight;
    // Of a small blob nobody needs to know how it went on. A manifest leads an image, for as long as its root is known.
    const isShort = clock.nowMs() - takenMs < RUNNING_DELAY_MS && !isManifest && !isStuck && !isAdopted;
    tell(flight, state, isShort);
    logger.debug('flight ended', { digest: flight.digest, state, isRoot: flight.isRoot });
    for (const listener of endListeners) listener(flight.digest, state === 'done');
  };
  /** What was sent upstream has its turn at once, or soon: on a slow link the first step takes seconds all the same. */
  const hasTurn = ({ isRoot, takenMs }: OwnFlight, untilMs = lastTurnMs()): boolean =>
    isRoot && takenMs <= untilMs;
  /** When the last download was sent upstream that has its turn. */
  const lastTurnMs = (): number => {
    const taken = [...flights.values()].filter(({ isRoot }) => isRoot).map(({ takenMs }) => takenMs);
    return taken.toSorted((a, b) => a - b)[CONTAINERD_SLOTS - 1] ?? Infinity;
  };
  /** Nothing comes before it that would give it a turn. */
  const isQueuedInVain = ({ takenMs }: OwnFlight, nowMs: number): boolean => {
    let isBehind = false;
    for (const { isRoot, isQueued, isStuck } of flights.values()) {
      if (!isRoot || isQueued) continue;
      if (!isStuck) return false;
      isBehind = true;
    }
    const stallMs = isBehind ? QUEUE_STALL_BEHIND_MS : QUEUE_STALL_MS;
    return nowMs - Math.max(intakeMs, takenMs) > stallMs;
  };
  const isCommitted = async (digest: Digest, signal: AbortSignal): Promise<boolean> => {
    let deadline: Deadline | undefined;
    // What is known at once needs none.
    const waitSignal = () => (deadline ??= createDeadline(clock, STORE_TIMEOUT_MS, signal)).signal;
    try {
      return await isStored(store, digest, { waitSignal });
    } finally {
      deadline?.[Symbol.dispose]();
    }
  };
  const look = async (flight: OwnFlight, signal: AbortSignal) => {
    const { digest } = flight;
    const nowMs = clock.nowMs();
    const download = store.downloads.get(digest);
    if (download === undefined) {
      if (await isCommitted(digest, signal)) end(flight, 'done');
      else {
        flight.goneMs ??= nowMs;
        // Of what has not appeared the store's downloads tell.
        if (flight.hasAppeared) {
          if (gone.size === 0) goneLookedMs = nowMs;
          gone.add(digest);
        }
        const waitMs = flight.hasBegun ? COMMIT_WITHIN_MS : APPEAR_WITHIN_MS;
        if (nowMs - Math.max(flight.goneMs, flight.takenMs) > waitMs) end(flight, 'aborted');
      }
      return;
    }
    flight.goneMs = undefined;
    gone.delete(digest);
    flight.hasAppeared = true;
    if (!download.isRunning) {
      end(flight, 'aborted');
      return;
    }
    const { writtenBytes } = download;
    const isNews = writtenBytes > 0 && !flight.hasBegun;
    // What grows, and did not ask this mirror, comes from upstream.
    if (isNews && flight.isAdopted) flight.isRoot = true;
    const { isRoot, progress } = flight;
    const grownBytes = writtenBytes - flight.writtenBytes;
    if (isRoot) intake.note(Math.max(0, writtenBytes - flight.notedBytes), nowMs);
    flight.notedBytes = writtenBytes;
    if (grownBytes > 0) {
      flight.isQueued = false;
      grownMs = nowMs;
      if (isRoot && !flight.isStuck) intakeMs = nowMs;
    }
    flight.hasBegun = writtenBytes > 0;
    flight.writtenBytes = writtenBytes;
    progress.note(writtenBytes, nowMs);
    const isBetweenRanges = flight.isInRanges && nowMs - grownMs <= QUEUE_STALL_MS;
    flight.isWhole = writtenBytes === download.sizeBytes;
    const standsStill = flight.isQueued
      ? isQueuedInVain(flight, nowMs)
      : progress.isStuck(nowMs) && !isBetweenRanges;
    // What has not begun will be as slow as what has.
    const isStuck = standsStill || (isRoot && intake.isSlow(nowMs));
    if ((isRoot || flight.isLeft) && !flight.isStuck && isStuck) {
      flight.isStuck = true;
      tell(flight, 'aborted');
      logger.info('Own download is too slow for others: they are sent elsewhere', { digest });
      for (const listener of endListeners) listener(digest, false);
    }
    const everyMs = isRoot ? RENEW_EVERY_MS : CHILD_RENEW_EVERY_MS;
    if (!flight.isStuck && (isNews || nowMs - flight.toldMs >= everyMs)) tell(flight, 'running');
  };

  const add = (
    digest: Digest,
    how: Pick<OwnFlight, 'isRoot' | 'isAdopted' | 'isInRanges' | 'isManifest'>,
  ) => {
    if (flights.size >= MAX_OWN_FLIGHTS) return;
    flights.set(digest, {
      digest,
      ...how,
      takenMs: clock.nowMs(),
      hasAppeared: false,
      goneMs: undefined,
      toldMs: -Infinity,
      writtenBytes: 0,
      notedBytes: store.downloads.get(digest)?.writtenBytes ?? 0,
      hasBegun: false,
      isQueued: true,
      isStuck: false,
      isWhole: false,
      isLeft: false,
      progress: createProgress(clock.nowMs()),
    });
  };

  return {
    take(digest, isRoot, { isInRanges = false, isManifest = false } = {}) {
      const nowMs = clock.nowMs();
      const known = flights.get(digest);
      if (known === undefined) add(digest, { isRoot, isAdopted: false, isInRanges, isManifest });
      else {
        // From another source from now on: that the source before stood still says nothing.
        known.progress.restart(nowMs);
        // Only its first request tells: a later one looks like that of a client that goes on after a break.
        known.isInRanges ||= isInRanges;
        const state = { isQueued: true, isStuck: false, isLeft: false, isAdopted: false };
        Object.assign(known, { ...state, isRoot, takenMs: nowMs, toldMs: -Infinity });
      }
      due.add(digest);
      changed.wake();
    },
    list: () => Array.from(flights.values(), ({ digest, isRoot, isStuck }) => ({ digest, isRoot, isStuck })),
    left(digest) {
      const flight = flights.get(digest);
      if (flight !== undefined) flight.isLeft = true;
    },
    asks(digest) {
      countUp(asking, digest);
      return { [Symbol.dispose]: () => countDown(asking, digest) };
    },
    isWanted: (digest) => flights.has(digest) || asking.has(digest),
    isPromised: (digest) => flights.has(digest),
    isInRanges: (digest) => flights.get(digest)?.isInRanges === true,
    isGoingOn: (digest) => flights.get(digest)?.isStuck === false,
    isMoving(digest) {
      const flight = flights.get(digest);
      if (flight === undefined || flight.isStuck) return false;
      return flight.isQueued ? hasTurn(flight) : !flight.progress.isLate(clock.nowMs());
    },
    hasQueued() {
      const untilMs = lastTurnMs();
      for (const flight of flights.values()) {
        const { isRoot, isQueued, isStuck } = flight;
        if (isRoot && isQueued && !isStuck && !hasTurn(flight, untilMs)) return true;
      }
      return false;
    },
    isStuck: (digest) => flights.get(digest)?.isStuck === true,
    onEnd(listener) {
      endListeners.add(listener);
      return () => void endListeners.delete(listener);
    },
    async run(signal) {
      const noticed = (digest: Digest) => {
        const download = store.downloads.get(digest);
        if (download !== undefined && isForOthers(download)) adopt(download);
        if (!flights.has(digest)) return;
        due.add(digest);
        changed.wake();
      };
      const adopt = ({ digest, writtenBytes }: Download) => {
        if (!adoptsDownloads || flights.has(digest)) return;
        // What has no byte may wait for its turn to go upstream, or to ask this mirror: the towers know which.
        add(digest, { isRoot: writtenBytes > 0, isAdopted: true, isInRanges: false, isManifest: false });
        due.add(digest);
        changed.wake();
      };
      const adoptAll = () => {
        for (const download of store.downloads.all()) {
          if (download.isRunning && (download.writtenBytes > 0 || clock.nowMs() > startedMs)) adopt(download);
        }
      };
      const startedMs = clock.nowMs();
      const unsubscribe = store.downloads.subscribe(noticed);
      adoptAll();
      const adoptLater = async () => {
        for (const afterMs of ADOPT_AFTER_MS) {
          await clock.sleep(startedMs + afterMs - clock.nowMs(), signal);
          adoptAll();
        }
      };
      adoptLater().catch(() => {});
      let lookedMs = clock.nowMs();
      /** Nothing is to come from upstream just now. What stands still may crawl, while the node is slow. */
      const isIdle = (): boolean => {
        const isSlow = intake.isSlow(clock.nowMs());
        return flights
          .values()
          .every(
            (flight) => !flight.isRoot || flight.isQueued || flight.isWhole || (flight.isStuck && !isSlow),
          );
      };
      try {
        while (!signal.aborted) {
          const nextMs =
            gone.size > 0
              ? Math.min(goneLookedMs + LOOK_FOR_COMMIT_MS, lookedMs + RENEW_EVERY_MS)
              : lookedMs + RENEW_EVERY_MS;
          const leftMs = nextMs - clock.nowMs();
          if (flights.size === 0) {
            intake.reset();
            await changed.next(signal);
          } else if (due.size === 0 && leftMs > 0) await changed.sleep(clock, leftMs, signal);
          const nowMs = clock.nowMs();
          if (intake.isBehind(nowMs) && isIdle()) intake.skip(nowMs);
          // What happens goes at once; that nothing happens is looked at now and then.
          // Asked as above: rounded differently, it would turn around and around until the clock goes on.
          const isTick = lookedMs + RENEW_EVERY_MS - nowMs <= 0;
          const isGoneTick = goneLookedMs + LOOK_FOR_COMMIT_MS - nowMs <= 0;
          if (isTick) lookedMs = nowMs;
          if (isGoneTick) goneLookedMs = nowMs;
          const digests = isTick ? flights.keys() : isGoneTick ? new Set([...due, ...gone]) : due;
          const looked = Array.from(digests, (digest) => flights.get(digest));
          due.clear();
          await Promise.all(looked.map(async (flight) => flight && look(flight, signal)));
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        unsubscribe();
      }
    },
  };
}
