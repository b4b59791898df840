import { describe, expect, test } from 'bun:test';

import { createVirtualClock, type VirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { PING_TIMEOUT_MS, SUSPECT_AFTER_MS, createFailureDetector } from './failure-detector.ts';
import { PING_AFTER_MS, QUIET_AFTER_MS } from '../limits.ts';
import { PING_NEXT_AFTER_MS } from './probe-assignment.ts';
import { createSleepingClock } from '../../runtime/testing/sleeping-clock.ts';

/** A node that is connected to `peers`. Peers in `mute` do not answer; other nodes probe the peers in `others`. */
function start(
  peers: readonly string[],
  {
    others = new Set<string>(),
    isKnown = true,
    afterMs = PING_AFTER_MS,
    aloneAfterMs = QUIET_AFTER_MS,
    clock = createVirtualClock(),
    onSuspicion = () => {},
  }: {
    others?: Set<string>;
    isKnown?: boolean;
    afterMs?: number;
    aloneAfterMs?: number;
    clock?: VirtualClock;
    onSuspicion?: (peers: readonly string[]) => void;
  } = {},
) {
  const state = {
    peers: new Set(peers),
    mute: new Set<string>(),
    /** Probes of peers that are mute. */
    owed: [] as PromiseWithResolvers<void>[],
    events: [] as string[],
    pings: 0,
  };
  const detector = createFailureDetector({
    clock,
    connected: () => state.peers,
    async ping(peer) {
      state.pings++;
      if (!state.mute.has(peer)) return;
      const question = Promise.withResolvers<void>();
      state.owed.push(question);
      await question.promise;
    },
    askAfterMs: (peer) => (!isKnown ? undefined : others.has(peer) ? Infinity : afterMs),
    pingAloneAfterMs: () => aloneAfterMs,
    onSuspicion(names) {
      state.events.push(`suspects ${names.join(' ')}`);
      onSuspicion(names);
    },
    onBack: (peer) => state.events.push(`back ${peer}`),
    onSilent: (peer) => state.events.push(`silent ${peer}`),
    onGivenUp: (peer) => {
      state.events.push(`gone ${peer}`);
      state.peers.delete(peer);
    },
  });
  const stop = new AbortController();
  void detector.run(stop.signal);
  return { clock, state, detector, stop };
}

describe('createFailureDetector()', () => {
  test('says within 10 s that a peer does not answer, and at once that it does again', async () => {
    const { clock, state, detector, stop } = start(['A', 'B']);
    await clock.advance(2000);
    state.mute.add('A');
    await clock.advance(10_000);
    expect(state.events).toEqual(['suspects A', 'silent A']);
    detector.heard('A');
    expect(state.events).toEqual(['suspects A', 'silent A', 'back A']);
    stop.abort();
  });

  test('knows which peer was not heard for long where the probes are not assigned, and probes when told to', async () => {
    const { clock, state, detector, stop } = start(['A', 'B'], { isKnown: false, aloneAfterMs: 30_000 });
    await clock.advance(1000);
    expect([detector.isQuiet('A'), detector.isQuiet('nobody')]).toEqual([false, false]);
    state.mute.add('B');
    await clock.advance(QUIET_AFTER_MS);
    expect(['A', 'B'].map((peer) => detector.isQuiet(peer))).toEqual([true, true]);
    expect(await detector.confirm('A')).toBe(true);
    expect([detector.isQuiet('A'), state.pings]).toEqual([false, 1]);
    const answers = Promise.all([detector.confirm('B'), detector.confirm('B')]);
    expect(state.pings).toBe(2);
    await clock.advance(PING_TIMEOUT_MS);
    expect(await answers).toEqual([false, false]);
    await clock.advance(1000);
    expect(state.events).toEqual(['silent B']);
    stop.abort();
  });

  test('tells others of a peer that it doubts by itself', async () => {
    const { clock, state, detector, stop } = start(['A']);
    await clock.advance(2000);
    state.mute.add('A');
    detector.verify('A');
    await clock.advance(2000);
    expect(state.events).toEqual(['suspects A']);
    stop.abort();
  });

  test('calls no peer quiet that others probe', async () => {
    const { clock, detector, stop } = start(['A'], { others: new Set(['A']) });
    await clock.advance(60_000);
    expect(detector.isQuiet('A')).toBe(false);
    stop.abort();
  });

  test('probes no peer that is heard anyway', async () => {
    const { clock, state, detector, stop } = start(['A']);
    for (let second = 0; second < 30; second++) {
      await clock.advance(1000);
      detector.heard('A');
    }
    expect(state.pings).toBe(0);
    stop.abort();
  });

  test('probes no peer that others probe, unless they say that it does not answer', async () => {
    const { clock, state, detector, stop } = start(['A', 'B'], { others: new Set(['A', 'B']) });
    await clock.advance(5 * 60_000);
    expect(state.pings).toBe(0);
    state.mute.add('A');
    for (const peer of ['A', 'B', 'nobody']) detector.suspect(peer);
    detector.suspect('A');
    expect(state.pings).toBe(2);
    await clock.advance(4000);
    expect(state.events).toEqual(['silent A']);
    // Late, and to the only question that there was.
    for (const { resolve } of state.owed) resolve();
    await clock.advance(0);
    expect([state.pings, ...state.events]).toEqual([2, 'silent A', 'back A']);
    stop.abort();
  });

  test('probes a peer that does not answer again when the probe was lost, not while it may be on its way', async () => {
    const { clock, state, stop } = start(['A']);
    state.mute.add('A');
    await clock.advance(30_000);
    expect([state.pings, ...state.events]).toEqual([1, 'suspects A', 'silent A']);
    state.mute.delete('A');
    for (const { reject } of state.owed) reject(new Error('The stream was lost'));
    await clock.advance(2000);
    expect([state.pings, ...state.events]).toEqual([2, 'suspects A', 'silent A', 'back A']);
    stop.abort();
  });

  test('waits as much longer for others as its own timers are late, and suspects no peer meanwhile', async () => {
    const clock = createVirtualClock();
    let lateMs = 0;
    const busy = {
      ...clock,
      sleep: async (ms: number, signal?: AbortSignal) => clock.sleep(ms + lateMs, signal),
    };
    const { state, stop } = start(['A'], { clock: busy });
    lateMs = 400;
    await clock.advance(10_000);
    const { pings } = state;
    expect(pings).toBeGreaterThan(1);
    state.mute.add('A');
    await clock.advance(3000);
    for (let ms = 0; state.pings === pings; ms += 100) await clock.advance(100);
    await clock.advance(PING_TIMEOUT_MS + 2 * lateMs - 100);
    expect(state.events).toEqual([]);
    await clock.advance(2000);
    expect(state.events).toEqual(['silent A']);
    // When that is over it says so.
    lateMs = 0;
    await clock.advance(4000);
    expect(state.events).toEqual(['silent A', 'suspects A']);
    stop.abort();
  });

  test('asks no peer because of what others say that was heard a moment ago', async () => {
    const { clock, state, detector, stop } = start(['A']);
    await clock.advance(2000);
    detector.heard('A');
    for (let count = 0; count < 10; count++) detector.suspect('A');
    expect(state.pings).toBe(0);
    stop.abort();
  });

  test('tells others once of all peers that fall silent together, and again of a peer that does so again', async () => {
    const { clock, state, detector, stop } = start(['A', 'B', 'C']);
    await clock.advance(1000);
    state.mute = new Set(['A', 'B']);
    await clock.advance(20_000);
    expect(state.events).toEqual(['suspects A B', 'silent A', 'silent B']);
    detector.heard('A');
    await clock.advance(20_000);
    expect(state.events.slice(3)).toEqual(['back A', 'suspects A', 'silent A']);
    stop.abort();
  });

  test('alarms no peer where the probes are not assigned and all nodes probe', async () => {
    const { clock, state, stop } = start(['A'], { isKnown: false });
    state.mute.add('A');
    await clock.advance(QUIET_AFTER_MS + 5000);
    expect(state.events).toEqual(['silent A']);
    stop.abort();
  });

  test('probes a quiet peer some twenty times a minute', async () => {
    const { clock, state, stop } = start(['A']);
    await clock.advance(60_000);
    expect(state.pings).toBeGreaterThan(15);
    expect(state.pings).toBeLessThanOrEqual(20);
    stop.abort();
  });

  test('asks the less often the longer a peer may be quiet', async () => {
    const { clock, state, stop } = start(['A'], { afterMs: PING_NEXT_AFTER_MS });
    await clock.advance(60_000);
    expect(state.pings).toBeGreaterThanOrEqual(10);
    expect(state.pings).toBeLessThanOrEqual(15);
    stop.abort();
  });

  test.each([PING_AFTER_MS, PING_NEXT_AFTER_MS])(
    'has all nodes know 4.5 s later which peer hangs when its watcher probes after %p ms, whenever that is',
    async (afterMs) => {
      for (let phase = 0; phase < 100; phase++) {
        const [offMs, hangMs] = [(phase % 10) * 100, phase * 10];
        const clock = createVirtualClock();
        const told = start(['A'], { others: new Set(['A']), clock });
        // The looks of the two are so much apart.
        await clock.advance(offMs);
        const watcher = start(['A'], {
          clock,
          afterMs,
          onSuspicion(names) {
            for (const name of names) told.detector.suspect(name);
          },
        });
        await clock.advance(20_000 + hangMs);
        for (const each of [watcher, told]) each.state.mute.add('A');
        // It hangs just after it was heard.
        watcher.detector.heard('A');
        // A ms for each timer that is rounded up.
        await clock.advance(afterMs + 4510);
        expect([watcher.state.events.at(-1), told.state.events.at(-1)]).toEqual(['silent A', 'silent A']);
        for (const each of [watcher, told]) each.stop.abort();
      }
    },
  );

  test('looks once for an answer that is due, though timers may come a part of a ms too early', async () => {
    const clock = createVirtualClock();
    let [looks, suspectedMs] = [0, 0];
    const early = {
      ...clock,
      async sleep(ms: number, signal?: AbortSignal) {
        looks++;
        return clock.sleep(ms - 0.5, signal);
      },
    };
    const onSuspicion = () => void (suspectedMs = clock.nowMs());
    const { state, stop } = start(['A'], { clock: early, onSuspicion });
    state.mute.add('A');
    while (state.pings === 0) await clock.advance(0.5);
    const askedMs = clock.nowMs();
    looks = 0;
    await clock.advance(PING_TIMEOUT_MS + 10);
    expect(suspectedMs - askedMs).toBeLessThan(SUSPECT_AFTER_MS + 2);
    expect(state.events).toEqual(['suspects A', 'silent A']);
    // One look a second, and one for the end of the probe.
    expect(looks).toBeLessThanOrEqual(4);
    stop.abort();
  });

  test('judges others again soon after it was not there itself, however long', async () => {
    const clock = createVirtualClock();
    let pauseMs = 0;
    const pausing = {
      ...clock,
      async sleep(ms: number, signal?: AbortSignal) {
        const lateMs = pauseMs;
        pauseMs = 0;
        await clock.sleep(ms + lateMs, signal);
      },
    };
    const { state, stop } = start(['A'], { clock: pausing });
    await clock.advance(2000);
    state.mute.add('A');
    pauseMs = 3_600_000;
    await clock.advance(pauseMs + 1000);
    expect(state.events).toEqual([]);
    await clock.advance(5500);
    expect(state.events).toContain('silent A');
    stop.abort();
  });

  test.each([
    ['answers', ['suspects A']],
    // Not given up for the time in which it could not be heard.
    ['is gone', ['suspects A', 'silent A']],
  ])('asks one that %s again when it was not there itself, before it judges', async (how, events) => {
    const clock = createVirtualClock();
    let pauseMs = 0;
    const pausing = {
      ...clock,
      async sleep(ms: number, signal?: AbortSignal) {
        const lateMs = pauseMs;
        pauseMs = 0;
        await clock.sleep(ms + lateMs, signal);
      },
    };
    const { state, stop } = start(['A'], { clock: pausing });
    state.mute.add('A');
    while (state.pings === 0) await clock.advance(10);
    // The stream's own time is over when the node is back.
    pauseMs = 70_000;
    await clock.advance(pauseMs + 1000);
    state.owed.pop()?.reject(new Error('The peer does not answer'));
    if (how === 'answers') state.mute.delete('A');
    await clock.advance(10_000);
    // The suspicion is of before.
    expect(state.events).toEqual(events);
    stop.abort();
  });

  test('gives a peer up that has not answered for a minute', async () => {
    const { clock, state, stop } = start(['A']);
    state.mute.add('A');
    await clock.advance(75_000);
    expect(state.events).toEqual(['suspects A', 'silent A', 'gone A']);
    stop.abort();
  });

  test('says of no peer that it does not answer while this node itself was not there', async () => {
    const { state, stop } = start(['A']);
    let nowMs = 0;
    let resume = Promise.withResolvers<void>();
    const clock = createSleepingClock({ nowMs: () => nowMs, sleep: async () => resume.promise });
    const slow = createFailureDetector({
      clock,
      connected: () => ['A'],
      ping: async () => new Promise(() => {}),
      onBack() {},
      onSilent: (peer) => state.events.push(`silent ${peer}`),
      onGivenUp() {},
    });
    void slow.run(stop.signal);
    // Every look comes 4 s late.
    for (let look = 0; look < 10; look++) {
      nowMs += 5000;
      const { resolve } = resume;
      resume = Promise.withResolvers();
      resolve();
      await new Promise(setImmediate);
    }
    expect(state.events).toEqual([]);
    stop.abort();
    resume.resolve();
  });
});
