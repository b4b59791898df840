import { expect, test } from 'bun:test';
import { USED_CANARY as USED } from '../canary/canary-result.fixture.ts';
import { checkCanary } from './check-canary.ts';

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
