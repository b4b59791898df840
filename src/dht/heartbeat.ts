import type { Clock } from '../runtime/clock.ts';
import { BUSY_TICK_MS, GIVE_UP_AFTER_MS, PING_AFTER_MS, PING_TICK_MS, PING_TIMEOUT_MS } from './limits.ts';

/** What createHeartbeat needs. Peers are named by any string. */
export interface HeartbeatDeps {
  readonly clock: Clock;
  /** The peers that are connected. */
  readonly connected: () => Iterable<string>;
  /** Asks the peer whether it is there; resolves when it answers, whenever that is. */
  readonly ping: (peer: string) => Promise<void>;
  /** The peer answered again after it had been silent. */
  readonly onBack: (peer: string) => void;
  /** The peer is connected and does not answer. */
  readonly onSilent: (peer: string) => void;
  /** The peer has not answered for a minute. */
  readonly onGivenUp: (peer: string) => void;
}

/** Tells which connected peers are there: one that hangs, or whose machine is gone, ends no connection. */
export interface Heartbeat {
  /** Something came from the peer. */
  heard(peer: string): void;
  /** Looks after the peers until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

interface Pulse {
  heardMs: number;
  /** When the question was asked that is still open. */
  askedMs: number | undefined;
  isSilent: boolean;
}

/**
 * Asks only who was not heard for a while: of two nodes that are connected and have nothing to say, one asks the other
 * every few seconds, which tells both.
 */
export function createHeartbeat({
  clock,
  connected,
  ping,
  onBack,
  onSilent,
  onGivenUp,
}: HeartbeatDeps): Heartbeat {
  const pulses = new Map<string, Pulse>();

  const heard = (peer: string) => {
    const pulse = pulses.get(peer);
    if (pulse === undefined) return;
    pulse.heardMs = clock.nowMs();
    pulse.askedMs = undefined;
    if (!pulse.isSilent) return;
    pulse.isSilent = false;
    onBack(peer);
  };
  const ask = (peer: string, pulse: Pulse, nowMs: number) => {
    pulse.askedMs = nowMs;
    ping(peer).then(
      () => heard(peer),
      () => {
        // The next look decides.
      },
    );
  };
  const look = (peer: string, nowMs: number) => {
    let pulse = pulses.get(peer);
    if (pulse === undefined) {
      pulse = { heardMs: nowMs, askedMs: undefined, isSilent: false };
      pulses.set(peer, pulse);
    }
    if (pulse.askedMs === undefined) {
      if (nowMs - pulse.heardMs >= PING_AFTER_MS) ask(peer, pulse, nowMs);
      return;
    }
    if (nowMs - pulse.askedMs < PING_TIMEOUT_MS) return;
    if (!pulse.isSilent) {
      pulse.isSilent = true;
      onSilent(peer);
    }
    if (nowMs - pulse.heardMs >= GIVE_UP_AFTER_MS) {
      pulses.delete(peer);
      onGivenUp(peer);
    } else ask(peer, pulse, nowMs);
  };
  /** Gives everybody who was asked another chance: it is this node that was not there. */
  const excuse = (nowMs: number) => {
    for (const pulse of pulses.values()) if (pulse.askedMs !== undefined) pulse.askedMs = nowMs;
  };

  return {
    heard,
    async run(signal) {
      while (!signal.aborted) {
        const beforeMs = clock.nowMs();
        await clock.sleep(PING_TICK_MS, signal).catch(() => {});
        if (signal.aborted) return;
        const nowMs = clock.nowMs();
        if (nowMs - beforeMs - PING_TICK_MS > BUSY_TICK_MS) excuse(nowMs);
        const names = new Set(connected());
        for (const peer of pulses.keys()) if (!names.has(peer)) pulses.delete(peer);
        for (const peer of names) look(peer, nowMs);
      }
    },
  };
}
