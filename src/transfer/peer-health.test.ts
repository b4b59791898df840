import { expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { PEER_SKIP_INITIAL_MS, PEER_SKIP_MAX_MS } from './budgets.ts';
import { createPeerHealth } from './peer-health.ts';

test('createPeerHealth() skips a failed peer for a while that doubles up to the maximum', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  expect(health.skips('a')).toBe(false);
  for (let skipMs = PEER_SKIP_INITIAL_MS; skipMs < PEER_SKIP_MAX_MS * 4; skipMs *= 2) {
    health.failed('a');
    await clock.advance(Math.min(skipMs, PEER_SKIP_MAX_MS) - 1);
    expect(health.skips('a')).toBe(true);
    await clock.advance(1);
    expect(health.skips('a')).toBe(false);
  }
  expect(health.skips('b')).toBe(false);
});

test('createPeerHealth() counts failures of requests in parallel once', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  for (let i = 0; i < 10; i++) health.failed('a');
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect(health.skips('a')).toBe(false);
});

test('createPeerHealth() forgets failures after a success', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  health.failed('a');
  await clock.advance(PEER_SKIP_INITIAL_MS);
  health.failed('a');
  health.succeeded('a');
  expect(health.skips('a')).toBe(false);
  health.failed('a');
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect(health.skips('a')).toBe(false);
});
