import { expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { PEER_SKIP_INITIAL_MS, PEER_SKIP_MAX_MS } from './budgets.ts';
import { createPeerHealth } from './peer-health.ts';

const A = { id: 'a', addresses: ['10.0.0.1'] };
const B = { id: 'b', addresses: ['10.0.0.2'] };

test('createPeerHealth() skips a failed peer for a while that doubles up to the maximum', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  expect(health.skips(A)).toBe(false);
  for (let skipMs = PEER_SKIP_INITIAL_MS; skipMs < PEER_SKIP_MAX_MS * 4; skipMs *= 2) {
    health.failed(A);
    await clock.advance(Math.min(skipMs, PEER_SKIP_MAX_MS) - 1);
    expect(health.skips(A)).toBe(true);
    await clock.advance(1);
    expect(health.skips(A)).toBe(false);
  }
  expect(health.skips(B)).toBe(false);
});

test('createPeerHealth() tells slow peers from broken ones', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  health.failed(A, 'slow');
  health.failed(B);
  expect([A, B].map((peer) => [health.skips(peer), health.isSlow(peer)])).toEqual([
    [true, true],
    [true, false],
  ]);
  // Worse things happen in parallel.
  health.failed(A);
  health.failed(A, 'slow');
  expect(health.isSlow(A)).toBe(false);
});

test('createPeerHealth() counts failures of requests in parallel once', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  for (let i = 0; i < 10; i++) health.failed(A);
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect(health.skips(A)).toBe(false);
});

test('createPeerHealth() forgets failures after a success', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  health.failed(A);
  await clock.advance(PEER_SKIP_INITIAL_MS);
  health.failed(A);
  health.succeeded(A);
  expect(health.skips(A)).toBe(false);
  health.failed(A);
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect(health.skips(A)).toBe(false);
});

test('createPeerHealth() does not hold against a peer what was said of other addresses', () => {
  const health = createPeerHealth(createVirtualClock());
  health.failed({ id: 'a', addresses: ['10.66.6.6'] });
  expect(health.skips(A)).toBe(false);
});

test('createPeerHealth() does not skip a peer that has returned, and remembers that it failed', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  const elsewhere = { id: 'a', addresses: ['10.0.0.9'] };
  const namesake = { id: 'aa', addresses: ['10.0.0.1'] };
  for (const peer of [A, elsewhere, namesake]) health.failed(peer);
  health.returned('a');
  expect([A, elsewhere, namesake].map((peer) => health.skips(peer))).toEqual([false, false, true]);
  health.failed(A);
  await clock.advance(PEER_SKIP_INITIAL_MS * 2 - 1);
  expect(health.skips(A)).toBe(true);
  await clock.advance(1);
  expect(health.skips(A)).toBe(false);
});
