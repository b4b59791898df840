import { describe, expect, test } from 'bun:test';

import { createLocalHealth } from './local-health.ts';

const SECOND_MS = 1000;

describe('createLocalHealth()', () => {
  test('waits longer while its own timers are late, half as much a second later', () => {
    const health = createLocalHealth();
    expect(health.timeoutFor(500)).toBe(500);
    health.noteTimer(20, SECOND_MS);
    expect(health.timeoutFor(500)).toBe(500);
    health.noteTimer(200, SECOND_MS);
    expect(health.timeoutFor(500)).toBe(900);
    health.noteTimer(0, SECOND_MS);
    expect(health.timeoutFor(500)).toBe(700);
  });

  test('is well again when its timers come in time for a while', () => {
    const health = createLocalHealth();
    health.noteTimer(400, SECOND_MS);
    expect(health.isWell).toBe(false);
    health.noteTimer(0, SECOND_MS);
    expect(health.isWell).toBe(true);
  });

  test('says when this node stood still, and counts no more than a second of it', () => {
    const health = createLocalHealth();
    expect(health.noteTimer(SECOND_MS, SECOND_MS)).toBe('went on');
    expect(health.noteTimer(60 * SECOND_MS, 60 * SECOND_MS)).toBe('stopped');
    expect(health.timeoutFor(500)).toBe(2500);
  });
});
