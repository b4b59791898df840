import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { watchForBottleneck } from './bottleneck-watch.ts';

/** Moves a body with so many bytes per ms, for which so much of the time was spent waiting; what was told, and when. */
async function watch(rate: (atMs: number) => number, waitedPart: (atMs: number) => number, forMs = 1000) {
  const clock = createVirtualClock();
  const told: { atMs: number; bytesPerSecond: number; movedBytes: number }[] = [];
  const judgedMs: number[] = [];
  const pace = watchForBottleneck({
    clock,
    judge: {
      everyMs: 250,
      judge() {
        judgedMs.push(clock.nowMs());
        return clock.nowMs() === 750 ? 'slow' : undefined;
      },
    },
    onBottleneck: (bytesPerSecond, movedBytes) =>
      told.push({ atMs: clock.nowMs(), bytesPerSecond, movedBytes }),
  });
  const reasons: (string | undefined)[] = [];
  let [movedBytes, waitedMs] = [0, 0];
  for (let atMs = 0; atMs < forMs; atMs += pace.everyMs) {
    await clock.advance(pace.everyMs);
    movedBytes += rate(atMs) * pace.everyMs;
    waitedMs += waitedPart(atMs) * pace.everyMs;
    reasons.push(pace.judge({ movedBytes, waitedMs }));
  }
  return { told, judgedMs, reasons };
}

describe('watchForBottleneck()', () => {
  test('tells within 200 ms, with its rate, of a source that is waited for', async () => {
    const { told } = await watch(
      () => 25_000,
      () => 0.9,
    );
    expect(told[0]).toEqual({ atMs: 200, bytesPerSecond: 25_000_000, movedBytes: 5_000_000 });
  });

  test.each<[string, (atMs: number) => number, (atMs: number) => number]>([
    ['whose client is slower', () => 25_000, () => 0.3],
    ['that is waited for at the start only', () => 25_000, (atMs) => (atMs < 100 ? 1 : 0)],
    ['that gives nothing at all', () => 0, () => 1],
  ])('says nothing of a source %s', async (_name, rate, waitedPart) => {
    expect((await watch(rate, waitedPart)).told).toEqual([]);
  });

  test('asks the other judge as often as that wants to be asked, and says what it says', async () => {
    const { judgedMs, reasons } = await watch(
      () => 25_000,
      () => 0,
    );
    expect(judgedMs).toEqual([250, 500, 750, 1000]);
    expect(reasons.filter((reason) => reason !== undefined)).toEqual(['slow']);
  });
});
