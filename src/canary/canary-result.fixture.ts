import type { CanaryResult } from './canary-result.ts';

/** A run that went well. For tests. */
export const USED_CANARY: CanaryResult = {
  outcome: 'used',
  text: 'in words',
  image: 'registry.lab/spegel-canary/0:1',
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 42,
  askedAfterMs: 12,
  askedFrom: '127.0.0.1',
  requests: 5,
  isPulled: true,
  isRemoved: true,
};
