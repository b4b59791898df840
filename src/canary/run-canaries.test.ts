import { describe, expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import { NO_REGISTRY } from './canary-name.ts';
import type { CanaryOutcome, CanaryResult } from './canary-result.ts';
import { CANARY_INTERVAL_MS, runCanaries } from './run-canaries.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Runs with these outcomes; the last one stays. */
function setUp(
  outcomes: readonly CanaryOutcome[],
  { registry = 'registry.lab', isUp = true, restMs = 0 } = {},
) {
  const clock = createVirtualClock();
  const startsMs: number[] = [];
  let last: CanaryResult | undefined;
  const run = async (): Promise<CanaryResult> => {
    const outcome = outcomes[Math.min(startsMs.length, outcomes.length - 1)] ?? 'used';
    startsMs.push(clock.nowMs());
    last = {
      outcome,
      text: '',
      image: '',
      startedAt: '',
      durationMs: 0,
      askedAfterMs: undefined,
      askedFrom: undefined,
      requests: 0,
      isPulled: true,
      isRemoved: true,
    };
    return last;
  };
  const stop = new AbortController();
  let starts = isUp ? 1 : 0;
  const started = createWakeUp();
  const startContainerd = () => {
    starts++;
    started.wake();
  };
  const canary = { run, last: () => last, isHeard: false, restMs: () => restMs };
  const ended = runCanaries(
    { canary, starts: () => starts, started, clock },
    { registry },
    stop.signal,
  ).catch((error: unknown) => error);
  return { clock, startsMs, stop, ended, startContainerd, canary };
}

describe('runCanaries()', () => {
  test('runs some seconds after the start, then each hour, until it is stopped', async () => {
    const { clock, startsMs, stop, ended } = setUp(['used']);
    await clock.advance(2 * CANARY_INTERVAL_MS + MINUTE_MS);
    expect(startsMs).toEqual([5, 3605, 7205].map((seconds) => seconds * SECOND_MS));
    stop.abort(new Error('stopped'));
    expect(await ended).toEqual(new Error('stopped'));
  });

  test('waits for containerd, for a minute at most', async () => {
    const late = setUp(['used'], { isUp: false });
    await late.clock.advance(20 * SECOND_MS);
    expect(late.startsMs).toEqual([]);
    late.startContainerd();
    await late.clock.advance(10 * SECOND_MS);
    expect(late.startsMs).toEqual([25 * SECOND_MS]);
    const never = setUp(['unknown'], { isUp: false });
    await never.clock.advance(70 * SECOND_MS);
    expect(never.startsMs).toEqual([65 * SECOND_MS]);
  });

  test('runs again when containerd was restarted, because it may have another configuration', async () => {
    const { clock, startsMs, startContainerd } = setUp(['used', 'not-used', 'used']);
    await clock.advance(20 * SECOND_MS);
    startContainerd();
    await clock.advance(20 * SECOND_MS);
    startContainerd();
    await clock.advance(20 * SECOND_MS);
    expect(startsMs).toEqual([5, 25, 45].map((seconds) => seconds * SECOND_MS));
    await clock.advance(CANARY_INTERVAL_MS);
    expect(startsMs).toHaveLength(4);
  });

  test('runs again after a restart no sooner than may be asked for', async () => {
    const { clock, startsMs, startContainerd } = setUp(['not-used'], { restMs: 2 * MINUTE_MS });
    await clock.advance(20 * SECOND_MS);
    startContainerd();
    await clock.advance(CANARY_INTERVAL_MS);
    expect(startsMs).toEqual([5, 140].map((seconds) => seconds * SECOND_MS));
  });

  test('has a registry asked once only, until a run that was asked for has found the mirror in use', async () => {
    const { clock, startsMs, canary } = setUp(['not-used', 'used']);
    await clock.advance(5 * CANARY_INTERVAL_MS);
    expect(startsMs).toHaveLength(1);
    await canary.run();
    await clock.advance(CANARY_INTERVAL_MS);
    expect(startsMs).toHaveLength(3);
  });

  test('goes on when the mirror is asked for something of the registry', async () => {
    const { clock, startsMs, canary } = setUp(['not-used', 'used']);
    await clock.advance(2 * CANARY_INTERVAL_MS);
    canary.isHeard = true;
    await clock.advance(CANARY_INTERVAL_MS);
    expect(startsMs).toHaveLength(2);
  });

  test('goes on each hour where no registry can be asked', async () => {
    const { clock, startsMs } = setUp(['not-used'], { registry: NO_REGISTRY });
    await clock.advance(3 * CANARY_INTERVAL_MS);
    expect(startsMs).toHaveLength(3);
  });

  test('tries again sooner while it is not known', async () => {
    const { clock, startsMs } = setUp(['unknown', 'unknown', 'used']);
    await clock.advance(CANARY_INTERVAL_MS);
    expect(startsMs).toEqual([5, 605, 1205].map((seconds) => seconds * SECOND_MS));
  });
});
