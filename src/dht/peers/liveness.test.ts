import { describe, expect, test } from 'bun:test';

import { DEAD_FOR_MS, UNSETTLED_MS, createLiveness } from './liveness.ts';

describe('createLiveness()', () => {
  test('follows a peer from the first connection to its death and back', () => {
    const liveness = createLiveness({ nowMs: () => 0 });
    expect(liveness.stateOf('A')).toBe('unknown');
    liveness.connected('A');
    expect(liveness.stateOf('A')).toBe('alive');
    liveness.lost('A');
    expect(liveness.stateOf('A')).toBe('suspect');
    liveness.died('A');
    // The end of the connection may be told after that.
    liveness.lost('A');
    expect(liveness.stateOf('A')).toBe('dead');
    liveness.connected('A');
    expect([liveness.stateOf('A'), liveness.counts()]).toEqual(['alive', { alive: 1, suspect: 0, dead: 0 }]);
  });

  test('forgets that a peer is dead when its records have faded', () => {
    let nowMs = 0;
    const liveness = createLiveness({ nowMs: () => nowMs });
    liveness.died('A');
    liveness.connected('B');
    nowMs = DEAD_FOR_MS + 1;
    expect([liveness.stateOf('A'), liveness.stateOf('B')]).toEqual(['unknown', 'alive']);
  });

  test('tells for how long a peer has been in its state, however often that is confirmed', () => {
    let nowMs = 0;
    const liveness = createLiveness({ nowMs: () => nowMs });
    expect(liveness.inStateMs('A')).toBeUndefined();
    liveness.connected('A');
    nowMs = 1000;
    liveness.connected('A');
    nowMs = 1500;
    expect(liveness.inStateMs('A')).toBe(1500);
    liveness.died('A');
    nowMs += DEAD_FOR_MS;
    liveness.died('A');
    nowMs += DEAD_FOR_MS;
    expect([liveness.stateOf('A'), liveness.inStateMs('A')]).toEqual(['dead', 2 * DEAD_FOR_MS]);
  });

  test('is unsettled for some seconds after a connection ended, not after a goodbye', () => {
    let nowMs = 0;
    const liveness = createLiveness({ nowMs: () => nowMs });
    for (const peer of ['A', 'B']) liveness.connected(peer);
    liveness.died('A');
    liveness.lost('A');
    expect(liveness.isUnsettled()).toBe(false);
    liveness.lost('B', false);
    expect(liveness.isUnsettled()).toBe(false);
    liveness.lost('C');
    expect(liveness.isUnsettled()).toBe(true);
    nowMs = UNSETTLED_MS;
    expect(liveness.isUnsettled()).toBe(false);
  });

  test('forgets those first who have been gone for longest, and nobody who is connected', () => {
    const liveness = createLiveness({ nowMs: () => 0 }, { maxPeers: 3 });
    liveness.connected('A');
    for (const peer of ['B', 'C', 'D']) liveness.died(peer);
    expect(['A', 'B', 'C', 'D'].map((peer) => liveness.stateOf(peer))).toEqual([
      'alive',
      'unknown',
      'dead',
      'dead',
    ]);
  });
});
