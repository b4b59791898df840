import { expect, test } from 'bun:test';
import { sumMetric } from './sum-metric.ts';

const TEXT = '# HELP a b\na{x="1",y="2"} 3\na{x="1",y="3"} 4\nab 9\nup 1\n';

test.each([
  ['a', {}, 7],
  ['a', { y: '3' }, 4],
  ['a', { y: '9' }, undefined],
  ['up', {}, 1],
  ['none', {}, undefined],
])('sumMetric() sums %p with %p', (name, labels, sum) => {
  expect(sumMetric(TEXT, name, labels)).toBe(sum);
});
