import { expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { SLOW_SKIP_INITIAL_MS, SLOW_SKIP_MAX_MS } from './budgets.ts';
import { createSlowHosts } from './slow-hosts.ts';

test('createSlowHosts() leaves a host alone for a while that doubles, then lets it be the last', async () => {
  const clock = createVirtualClock();
  const hosts = createSlowHosts(clock);
  expect(hosts.standing('a')).toBe('good');
  for (let skipMs = SLOW_SKIP_INITIAL_MS; skipMs < 4 * SLOW_SKIP_MAX_MS; skipMs *= 2) {
    hosts.wasSlow('a');
    // Other layers of the same pull.
    hosts.wasSlow('a');
    await clock.advance(Math.min(skipMs, SLOW_SKIP_MAX_MS) - 1);
    expect([hosts.standing('a'), hosts.standing('b')]).toEqual(['skipped', 'good']);
    await clock.advance(1);
    expect(hosts.standing('a')).toBe('last');
  }
});

test('createSlowHosts() forgives a host that kept up, once it is asked again', async () => {
  const clock = createVirtualClock();
  const hosts = createSlowHosts(clock);
  hosts.wasSlow('a');
  hosts.keptUp('a');
  expect(hosts.standing('a')).toBe('skipped');
  await clock.advance(SLOW_SKIP_INITIAL_MS);
  hosts.keptUp('a');
  expect(hosts.standing('a')).toBe('good');
  hosts.wasSlow('a');
  await clock.advance(SLOW_SKIP_INITIAL_MS);
  expect(hosts.standing('a')).toBe('last');
});
