import { expect, test } from 'bun:test';
import type { CanaryResult } from '../canary/canary-result.ts';
import { checkCanary } from './check-canary.ts';

const USED: CanaryResult = {
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

test.each([
  ['nothing when containerd asked and pulled', USED, [], []],
  ['a warning when the pull failed', { ...USED, isPulled: false }, ['warning canary-not-pulled'], []],
  ['an error when containerd did not ask', { ...USED, outcome: 'not-used' }, ['error mirror-not-used'], []],
  ['nothing when it is not known', { ...USED, outcome: 'unknown' }, [], ['in words']],
  [
    'nothing when it did not run',
    { error: new Error('no daemon') },
    [],
    ['the canary was not run: no daemon'],
  ],
] as const)('checkCanary() finds %s', (_, canary, ids, unknown) => {
  const { findings, unknown: notLookedAt } = checkCanary(canary);
  expect(findings.map(({ severity, id }) => `${severity} ${id}`)).toEqual([...ids]);
  expect(findings.flatMap(({ seen }) => seen)).toEqual(ids.map(() => 'in words'));
  expect(notLookedAt).toEqual([...unknown]);
});
