import { expect, test } from 'bun:test';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { PEER_SKIP_INITIAL_MS, PEER_SKIP_MAX_MS, SLOW_SKIP_INITIAL_MS } from './budgets.ts';
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

test('createPeerHealth() tells late peers from broken ones', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  health.failed(A, 'late');
  health.failed(B);
  expect([A, B].map((peer) => [health.skips(peer), health.goesLast(peer)])).toEqual([
    [false, true],
    [true, false],
  ]);
  // Worse things happen in parallel.
  health.failed(A);
  health.failed(A, 'late');
  expect([health.skips(A), health.goesLast(A)]).toEqual([true, false]);
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect([health.skips(A), health.goesLast(A)]).toEqual([false, true]);
});

test('createPeerHealth() skips a slow address under whatever name, also when the peer returns, and then lets it be the last', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  health.wasSlow('10.0.0.1');
  health.succeeded(A);
  health.returned('a');
  const renamed = { id: 'x', addresses: ['10.0.0.9', '10.0.0.1'] };
  expect([A, renamed, B].map((peer) => health.skips(peer))).toEqual([true, true, false]);
  await clock.advance(SLOW_SKIP_INITIAL_MS);
  expect([A, renamed, B].map((peer) => health.skips(peer))).toEqual([false, false, false]);
  expect([A, renamed, B].map((peer) => health.goesLast(peer))).toEqual([true, true, false]);
  health.keptUp('10.0.0.1');
  expect(health.goesLast(A)).toBe(false);
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

test('createPeerHealth() lets a peer go last until it has answered a probe, and remembers that it failed', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  expect(health.isToProbe(A)).toBe(false);
  health.failed(A);
  expect([health.skips(A), health.isToProbe(A)]).toEqual([true, false]);
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect([health.skips(A), health.goesLast(A), health.isToProbe(A)]).toEqual([false, true, true]);
  health.answeredProbe(A);
  expect([health.skips(A), health.goesLast(A), health.isToProbe(A)]).toEqual([false, false, false]);
  // It answered, and does not do what it is asked to all the same.
  health.failed(A);
  await clock.advance(2 * PEER_SKIP_INITIAL_MS - 1);
  expect(health.skips(A)).toBe(true);
  await clock.advance(1);
  expect(health.isToProbe(A)).toBe(true);
  health.succeeded(A);
  expect([health.goesLast(A), health.isToProbe(A)]).toEqual([false, false]);
});

test('createPeerHealth() probes no peer that was only late', async () => {
  const clock = createVirtualClock();
  const health = createPeerHealth(clock);
  health.failed(A, 'late');
  await clock.advance(PEER_SKIP_INITIAL_MS);
  expect([health.goesLast(A), health.isToProbe(A)]).toEqual([false, false]);
});
