import { describe, expect, test } from 'bun:test';
import { expressionNames } from './expression-names.ts';

describe('expressionNames()', () => {
  test.each<[expression: string, metrics: string[], labels: string[]]>([
    ['a_b == 0', ['a_b'], []],
    ['sum by (x, y) (rate(a{z="b_c{d}",w=~"e\\"f"}[5m]))', ['a'], ['z', 'w', 'x', 'y']],
    ['sum(rate(a[$__rate_interval])) / sum (rate(b[1h:5m] offset 2h))', ['a', 'b'], []],
    ['a and on (n, j) count by (n) (b) > 1', ['a', 'b'], ['n', 'j']],
    ['a unless ignoring (i) b or c_total', ['a', 'b', 'c_total'], ['i']],
    ['histogram_quantile(0.9, sum by (le) (rate(d_bucket[5m]))) > 1e3', ['d_bucket'], ['le']],
    ['time() - max(e > 0) or vector(0)', ['e'], []],
    ['a * on (i) group_left (v) b', ['a', 'b'], ['i', 'v']],
  ])('expressionNames() of %s', (expression, metrics, labels) => {
    expect(expressionNames(expression)).toEqual({ metrics, labels });
  });
});
