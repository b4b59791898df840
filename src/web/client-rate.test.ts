import { expect, test } from 'bun:test';
import { createClientRate } from './client-rate.ts';

test('createClientRate() lets each client ask in a burst, then at a rate', () => {
  let now = 0;
  const rate = createClientRate(() => now, { burst: 2, perSecond: 0.5 });
  const take = (address: string) => rate.take(address);
  expect([take('10.0.0.1'), take('10.0.0.1'), take('10.0.0.1')]).toEqual([true, true, false]);
  expect(take('10.0.0.2')).toBe(true);
  // Addresses of one host.
  expect([take('fd00::1'), take('fd00::2'), take('fd00::3')]).toEqual([true, true, false]);
  now = 2000;
  expect([take('10.0.0.1'), take('10.0.0.1')]).toEqual([true, false]);
});
