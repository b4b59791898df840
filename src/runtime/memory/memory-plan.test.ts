import { describe, expect, test } from 'bun:test';
import { planMemory } from './memory-plan.ts';

const MIB = 1024 * 1024;

describe('planMemory()', () => {
  test.each([64, 96, 128, 256, 512])('planMemory() of %d MiB gives less than the limit', (limitMib) => {
    const { limitBytes, ...parts } = planMemory(limitMib * MIB);
    expect(limitBytes).toBe(limitMib * MIB);
    const sum = Object.values(parts).reduce((total, bytes) => total + bytes, 0);
    expect(sum).toBeLessThan(0.97 * limitBytes);
    expect(Object.values(parts).every((bytes) => bytes > 0.7 * MIB)).toBe(true);
  });

  test('planMemory() takes 128 MiB where there is no limit, and keeps other limits within bounds', () => {
    expect(planMemory().limitBytes).toBe(128 * MIB);
    expect(planMemory(10 * MIB)).toEqual(planMemory(64 * MIB));
    expect(planMemory(64 * 1024 * MIB)).toEqual(planMemory(512 * MIB));
  });
});
