import type { Clock } from '../../runtime/clock.ts';
import { createDeadline } from '../../runtime/deadline.ts';
import { abortable } from '../../runtime/abortable.ts';
import { PING_AFTER_MS, QUIET_AFTER_MS } from '../limits.ts';
import { createLocalHealth } from './local-health.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/**
 * Nodes that probe a peer tell the others when it has not answered for so long: the others then probe it themselves.
 */
export const SUSPECT_AFTER_MS = SECOND_MS;
/**
 * A peer counts as dead when it does not answer within this time. With PING_AFTER_MS, SUSPECT_AFTER_MS and the time
 * between looks that is within 10 s everywhere.
 */
export const PING_TIMEOUT_MS = 2.5 * SECOND_MS;
/** Longest time between two looks: each wakes an idle node. */
const PING_TICK_MS = SECOND_MS;
/** Shortest time between two looks: the next look comes when an answer is overdue. */
const PING_LOOK_MIN_MS = SECOND_MS / 10;
/** A peer that was heard within this time is not probed, whatever others say. */
const SUSPICION_PAUSE_MS = SECOND_MS;
/** The connection to a peer that has not answered for so long is given up. */
const GIVE_UP_AFTER_MS = MINUTE_MS;

/** What createFailureDetector needs. Peers are named by any string. */
export interface FailureDetectorDeps {
  readonly clock: Clock;
  /** The peers that are connected. */
  readonly connected: () => Iterable<string>;
  /**
   * How long the peer may be quiet until this node probes it, in ms. Infinity if its probes are assigned to others;
   * undefined if it is not known to which nodes. Default PING_AFTER_MS.
   */
  readonly askAfterMs?: (peer: string) => number | undefined;
  /** How long a peer may be quiet for which `askAfterMs` is undefined, in ms. Default QUIET_AFTER_MS. */
  readonly pingAloneAfterMs?: () => number;
  /** Peers that this node probes do not answer: others may want to probe them, too. */
  readonly onSuspicion?: (peers: readonly string[]) => void;
  /** Asks the peer whether it is there; resolves when it answers, whenever that is. */
  readonly ping: (peer: string) => Promise<void>;
  /** The peer answered again after it had been silent. */
  readonly onBack: (peer: string) => void;
  /** The peer is connected and does not answer. */
  readonly onSilent: (peer: string) => void;
  /** The peer has not answered for a minute. */
  readonly onGivenUp: (peer: string) => void;
}

/** Tells which connected peers are there: a peer that hangs, or whose machine is gone, does not end its connection. */
export interface FailureDetector {
  /** Something came from the peer. */
  heard(peer: string): void;
  /** Another node says that the peer does not answer: it is probed, unless it was heard just now. */
  suspect(peer: string): void;
  /**
   * The same when this node had no answer, or has not heard the peer for long. The other nodes do not know that yet.
   */
  verify(peer: string): void;
  /**
   * True for a peer that perhaps no node has probed for a while: this node is not connected to all nodes, and does not
   * know which of them probe the peer.
   */
  isQuiet(peer: string): boolean;
  /** Asks the peer now. False when it does not answer in time. */
  confirm(peer: string): Promise<boolean>;
  /** Looks after the peers until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

interface PeerProbe {
  heardMs: number;
  /** When the probe that is still open was sent. */
  askedMs: number | undefined;
  /** When the first probe was sent that the peer has not answered. */
  openMs: number;
  /** Resolves to whether the probe was answered. */
  answer: Promise<boolean>;
  hasFailed: boolean;
  /** The probe was open while this node stood still: that it failed says nothing. */
  wasInterrupted: boolean;
  isSuspected: boolean;
  isSilent: boolean;
}

/**
 * Probes only peers that were not heard for a while. Of these it probes only the peers that are assigned to this node,
 * and the peers that others suspect. Each node believes only what it sees itself. That others say that a peer does not
 * answer makes it probe the peer, no more.
 */
export function createFailureDetector({
  clock,
  connected,
  askAfterMs = () => PING_AFTER_MS,
  pingAloneAfterMs = () => QUIET_AFTER_MS,
  onSuspicion = () => {},
  ping,
  onBack,
  onSilent,
  onGivenUp,
}: FailureDetectorDeps): FailureDetector {
  const probes = new Map<string, PeerProbe>();
  const health = createLocalHealth();

  const isWatched = (peer: string) => Number.isFinite(askAfterMs(peer) ?? Infinity);
  const heard = (peer: string) => {
    const probe = probes.get(peer);
    if (probe === undefined) return;
    probe.heardMs = clock.nowMs();
    probe.askedMs = undefined;
    probe.isSuspected = false;
    if (!probe.isSilent) return;
    probe.isSilent = false;
    onBack(peer);
  };
  const ask = (peer: string, probe: PeerProbe, nowMs: number) => {
    if (probe.askedMs === undefined) probe.openMs = nowMs;
    probe.askedMs = nowMs;
    probe.hasFailed = false;
    probe.wasInterrupted = false;
    probe.answer = ping(peer).then(
      () => {
        heard(peer);
        return true;
      },
      // The next look decides.
      () => {
        probe.hasFailed = true;
        return false;
      },
    );
  };
  const look = (peer: string, nowMs: number) => {
    let probe = probes.get(peer);
    if (probe === undefined) {
      probe = newProbe(nowMs);
      probes.set(peer, probe);
    }
    if (probe.askedMs === undefined) {
      const quietMs = nowMs - probe.heardMs;
      if (quietMs < PING_AFTER_MS) return;
      if (quietMs >= (askAfterMs(peer) ?? pingAloneAfterMs())) ask(peer, probe, nowMs);
      return;
    }
    if (probe.wasInterrupted && probe.hasFailed) ask(peer, probe, nowMs);
    if (nowMs - probe.askedMs < health.timeoutFor(PING_TIMEOUT_MS)) return;
    if (!probe.isSilent) {
      probe.isSilent = true;
      onSilent(peer);
    }
    if (nowMs - probe.openMs >= GIVE_UP_AFTER_MS) {
      probes.delete(peer);
      onGivenUp(peer);
    } else if (probe.hasFailed) ask(peer, probe, nowMs);
  };
  /** Tells the others that peers have fallen silent: once each time, and in one notice for all. */
  const alarm = (nowMs: number) => {
    const suspects: string[] = [];
    for (const [peer, probe] of probes) {
      if (probe.isSuspected || probe.askedMs === undefined) continue;
      if (nowMs - probe.openMs < health.timeoutFor(SUSPECT_AFTER_MS) || !isWatched(peer)) continue;
      probe.isSuspected = true;
      suspects.push(peer);
    }
    if (suspects.length > 0) onSuspicion(suspects);
  };
  const forgetOthers = () => {
    const names = new Set(connected());
    for (const peer of probes.keys()) if (!names.has(peer)) probes.delete(peer);
  };
  /** Time until the next look, in ms: a tick, or less when an answer is overdue before that. */
  const untilNextLook = (nowMs: number) => {
    let dueMs = Infinity;
    for (const [peer, { askedMs, openMs, isSuspected, isSilent }] of probes) {
      if (askedMs === undefined) continue;
      if (!isSilent) dueMs = Math.min(dueMs, askedMs + health.timeoutFor(PING_TIMEOUT_MS));
      const isToBeTold = !isSuspected && health.isWell && isWatched(peer);
      if (isToBeTold) dueMs = Math.min(dueMs, openMs + health.timeoutFor(SUSPECT_AFTER_MS));
    }
    const dueInMs = dueMs - nowMs;
    // No tick so shortly before the due time that the next look would come too late for it.
    if (dueInMs > PING_TICK_MS + PING_LOOK_MIN_MS) return PING_TICK_MS;
    // Timers may come a part of a ms too early: then there would be nothing to see yet.
    return Math.max(PING_LOOK_MIN_MS, Math.ceil(dueInMs) + 1);
  };
  /** Gives every peer that was probed another chance: this node itself stood still. */
  const restartProbes = (nowMs: number) => {
    for (const probe of probes.values()) {
      if (probe.askedMs === undefined) continue;
      probe.askedMs = nowMs;
      probe.openMs = nowMs;
      probe.wasInterrupted = true;
    }
  };

  const check = (peer: string, othersKnow: boolean) => {
    const probe = probes.get(peer);
    const nowMs = clock.nowMs();
    if (probe === undefined || probe.askedMs !== undefined) return;
    if (nowMs - probe.heardMs < SUSPICION_PAUSE_MS) return;
    probe.isSuspected = othersKnow;
    ask(peer, probe, nowMs);
  };

  return {
    heard,
    suspect: (peer) => check(peer, true),
    verify: (peer) => check(peer, false),
    isQuiet(peer) {
      const probe = probes.get(peer);
      if (probe === undefined || clock.nowMs() - probe.heardMs < QUIET_AFTER_MS) return false;
      return askAfterMs(peer) === undefined;
    },
    async confirm(peer) {
      const probe = probes.get(peer);
      if (probe === undefined) return true;
      // A probe that could not even be sent says nothing of the peer.
      if (probe.askedMs === undefined || probe.hasFailed) ask(peer, probe, clock.nowMs());
      using deadline = createDeadline(clock, health.timeoutFor(PING_TIMEOUT_MS));
      return await abortable(probe.answer, deadline.signal).catch(() => false);
    },
    async run(signal) {
      while (!signal.aborted) {
        const beforeMs = clock.nowMs();
        const waitMs = untilNextLook(beforeMs);
        await clock.sleep(waitMs, signal).catch(() => {});
        if (signal.aborted) return;
        const nowMs = clock.nowMs();
        const passedMs = nowMs - beforeMs;
        if (health.noteTimer(passedMs - waitMs, passedMs) === 'stopped') restartProbes(nowMs);
        let count = 0;
        for (const peer of connected()) {
          look(peer, nowMs);
          count++;
        }
        if (probes.size > count) forgetOthers();
        if (health.isWell) alarm(nowMs);
      }
    },
  };
}

/** Of a peer that was heard now. */
function newProbe(nowMs: number): PeerProbe {
  return {
    heardMs: nowMs,
    askedMs: undefined,
    openMs: nowMs,
    answer: Promise.resolve(true),
    hasFailed: false,
    wasInterrupted: false,
    isSuspected: false,
    isSilent: false,
  };
}
