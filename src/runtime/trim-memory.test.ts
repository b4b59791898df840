import { describe, expect, test } from 'bun:test';

import { createVirtualClock } from './testing/virtual-clock.ts';
import { trimMemory } from './trim-memory.ts';
import { createSleepingClock } from './testing/sleeping-clock.ts';

const [SECOND_MS, MINUTE_MS] = [1000, 60_000];
const MIB = 1024 * 1024;

function start(bytes: number | undefined, limitBytes?: number) {
  const clock = createVirtualClock();
  const state = { bytes, fileBytes: 0, isIdle: true, cpuMs: 0, trims: 0, collections: 0, unloads: 0 };
  const stop = new AbortController();
  const running = trimMemory(
    {
      // A collection takes 60 ms.
      clock: createSleepingClock({
        nowMs: () => clock.nowMs() + 60 * state.collections,
        sleep: async (ms, signal) => clock.sleep(ms, signal),
      }),
      isIdle: () => state.isIdle,
      cpuMs: () => state.cpuMs,
      readMemory: async () =>
        state.bytes === undefined ? undefined : { anonymousBytes: state.bytes, fileBytes: state.fileBytes },
      readLimit: async () => limitBytes,
      shrink: () => state.trims++,
      collect: () => state.collections++,
      unload: () => {
        state.unloads++;
        state.fileBytes = 10 * MIB;
      },
    },
    stop.signal,
  );
  const end = async () => {
    stop.abort();
    await running;
  };
  return { clock, state, end };
}

describe('trimMemory()', () => {
  test('gives memory back when starting is over, and again when it has grown, but not soon', async () => {
    const { clock, state, end } = start(70 * MIB);
    await clock.advance(10 * SECOND_MS);
    expect(state.trims).toBe(0);
    await clock.advance(15 * SECOND_MS);
    expect(state.trims).toBe(1);
    await clock.advance(60 * MINUTE_MS);
    expect(state.trims).toBe(1);
    for (const [mib, minutes, trims] of [
      [77, 30, 1],
      [78, 1, 2],
      [32, 5, 2],
      [39, 30, 2],
      [40, 2, 3],
      [47, 30, 3],
      [48, 2, 4],
      [90, 2, 5],
      [90, 30, 5],
    ] as const) {
      state.bytes = mib * MIB;
      await clock.advance(minutes * MINUTE_MS);
      expect(state.trims).toBe(trims);
    }
    await end();
  });

  test('waits while somebody is served', async () => {
    const { clock, state, end } = start(70 * MIB);
    state.isIdle = false;
    await clock.advance(30 * MINUTE_MS);
    expect(state.trims).toBe(0);
    state.isIdle = true;
    await clock.advance(MINUTE_MS);
    expect(state.trims).toBe(1);
    await end();
  });

  test('does not mind a little work now and then, such as a scrape of its metrics', async () => {
    const { clock, state, end } = start(70 * MIB);
    for (let second = 0; second < 60; second++) {
      await clock.advance(SECOND_MS);
      if (second % 15 === 0) state.cpuMs += 150;
    }
    expect(state.trims).toBe(1);
    await end();
  });

  test('waits while there is much to do', async () => {
    const { clock, state, end } = start(70 * MIB);
    for (let second = 0; second < 300; second++) {
      await clock.advance(SECOND_MS);
      state.cpuMs += 50;
    }
    expect(state.trims).toBe(0);
    await clock.advance(MINUTE_MS);
    expect(state.trims).toBe(1);
    await end();
  });

  test.each([undefined, 128 * MIB, 1024 * MIB])(
    'collects garbage within a second close to a limit of %p, whatever else there is to do',
    async (limit) => {
      const { clock, state, end } = start(60 * MIB, limit);
      state.isIdle = false;
      const share = (limit ?? 128 * MIB) / 128;
      const hold = async (part: number, seconds = 1) => {
        state.bytes = part * share;
        for (let second = 0; second < seconds; second++) {
          state.cpuMs += 500;
          await clock.advance(SECOND_MS);
        }
        return state.collections;
      };
      expect([await hold(76), await hold(77)]).toEqual([0, 1]);
      // It rests for ten times as long as that took, and goes on: what piles up outside of the heap is not seen by it.
      expect([await hold(77, 2), await hold(77), await hold(77, 30)]).toEqual([2, 3, 33]);
      expect(await hold(76, 30)).toBe(33);
      expect(state.trims).toBe(0);
      await end();
    },
  );

  test('collects garbage when a small process has grown, from what it then has, and not again soon', async () => {
    const { clock, state, end } = start(20 * MIB);
    const hold = async (mib: number, minutes: number) => {
      state.bytes = mib * MIB;
      await clock.advance(minutes * MINUTE_MS);
      return state.collections;
    };
    expect([await hold(20, 1), await hold(21, 1), await hold(22, 1)]).toEqual([0, 0, 1]);
    expect([await hold(22, 60), await hold(23, 5), await hold(24, 1)]).toEqual([1, 1, 2]);
    expect([await hold(22, 3), await hold(30, 1), await hold(30, 2), await hold(32, 1)]).toEqual([
      2, 2, 2, 3,
    ]);
    expect(state.trims).toBe(0);
    await end();
  });

  test('unloads code when starting is over, and when much of it came back, but not soon', async () => {
    const { clock, state, end } = start(30 * MIB);
    state.fileBytes = 55 * MIB;
    const hold = async (mib: number, minutes: number) => {
      state.fileBytes = mib * MIB;
      await clock.advance(minutes * MINUTE_MS);
      return state.unloads;
    };
    expect([await hold(55, 0.2), await hold(55, 0.2)]).toEqual([0, 1]);
    // It leaves 10 MiB.
    expect([await hold(17, 60), await hold(18, 1), await hold(55, 3), await hold(55, 1)]).toEqual([
      1, 2, 2, 3,
    ]);
    expect(state).toMatchObject({ trims: 0, collections: 0 });
    state.bytes = 70 * MIB;
    await clock.advance(5 * MINUTE_MS);
    expect(state).toMatchObject({ trims: 1, unloads: 3 });
    await end();
  });

  test.each([39 * MIB, undefined])('leaves a process alone that has %p bytes', async (bytes) => {
    const { clock, state, end } = start(bytes);
    await clock.advance(60 * MINUTE_MS);
    expect(state).toMatchObject({ trims: 0, collections: 0, unloads: 0 });
    await end();
  });
});
