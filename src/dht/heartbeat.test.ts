import { describe, expect, test } from 'bun:test';

import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createHeartbeat } from './heartbeat.ts';

/** A node that is connected to `peers`; those in `mute` do not answer. */
function start(peers: readonly string[]) {
  const clock = createVirtualClock();
  const state = { peers: new Set(peers), mute: new Set<string>(), events: [] as string[], pings: 0 };
  const heartbeat = createHeartbeat({
    clock,
    connected: () => state.peers,
    async ping(peer) {
      state.pings++;
      if (state.mute.has(peer)) await new Promise(() => {});
    },
    onBack: (peer) => state.events.push(`back ${peer}`),
    onSilent: (peer) => state.events.push(`silent ${peer}`),
    onGivenUp: (peer) => {
      state.events.push(`gone ${peer}`);
      state.peers.delete(peer);
    },
  });
  const stop = new AbortController();
  void heartbeat.run(stop.signal);
  return { clock, state, heartbeat, stop };
}

describe('createHeartbeat()', () => {
  test('says within 10 s that a peer does not answer, and at once that it does again', async () => {
    const { clock, state, heartbeat, stop } = start(['A', 'B']);
    await clock.advance(2000);
    state.mute.add('A');
    await clock.advance(10_000);
    expect(state.events).toEqual(['silent A']);
    heartbeat.heard('A');
    expect(state.events).toEqual(['silent A', 'back A']);
    stop.abort();
  });

  test('asks nobody who is heard anyway', async () => {
    const { clock, state, heartbeat, stop } = start(['A']);
    for (let second = 0; second < 30; second++) {
      await clock.advance(1000);
      heartbeat.heard('A');
    }
    expect(state.pings).toBe(0);
    stop.abort();
  });

  test('asks one that is quiet about ten times a minute', async () => {
    const { clock, state, stop } = start(['A']);
    await clock.advance(60_000);
    expect(state.pings).toBeGreaterThanOrEqual(8);
    expect(state.pings).toBeLessThanOrEqual(12);
    stop.abort();
  });

  test('gives a peer up that has not answered for a minute', async () => {
    const { clock, state, stop } = start(['A']);
    state.mute.add('A');
    await clock.advance(75_000);
    expect(state.events).toEqual(['silent A', 'gone A']);
    stop.abort();
  });

  test('says of nobody that it does not answer while this node itself was not there', async () => {
    const { state, stop } = start(['A']);
    let nowMs = 0;
    let resume = Promise.withResolvers<void>();
    const clock = { nowMs: () => nowMs, sleep: async () => resume.promise };
    const slow = createHeartbeat({
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
