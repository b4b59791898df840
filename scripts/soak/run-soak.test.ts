import { describe, expect, test } from 'bun:test';
import { runSoak } from './run-soak.ts';

describe('runSoak()', () => {
  test.each(['kernel', 'buffered'] as const)(
    'the %s transport gives every client the right bytes, and all back',
    async (transport) => {
      const result = await runSoak({ transport, requests: 500, clients: 32, seed: 1, warmUpRequests: 100 });
      expect(result.wrong).toEqual([]);
      expect(result.after.subscriptions).toBe(0);
      expect(result.after.descriptors['file']).toBeUndefined();
      // All that can happen did happen.
      expect(Object.keys(result.ends)).toEqual(expect.arrayContaining(['complete', 'fin', 'left']));
      expect(Object.keys(result.moves)).toEqual(
        expect.arrayContaining(['complete', 'client-gone', 'cancelled', 'stalled', 'ended-early']),
      );
      expect(result.kernelMovedBytes > result.receivedBytes / 2).toBe(transport === 'kernel');
    },
  );
});
