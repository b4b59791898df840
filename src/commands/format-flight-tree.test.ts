import { describe, expect, test } from 'bun:test';

import type { FlightNodeReport } from '../routing/flights-report.ts';
import { formatFlightTree } from './format-flight-tree.ts';

const node = (id: string, parent?: string, more: Partial<FlightNodeReport> = {}): FlightNodeReport => ({
  id,
  addresses: [`10.0.0.${id.charCodeAt(0) - 64}`],
  parent,
  role: parent === undefined ? 'root' : 'child',
  hasBegun: true,
  depth: 0,
  children: 0,
  ...more,
});
const names = (text: string) =>
  text
    .split('\n')
    .slice(1, -1)
    .map((line) => line.replace(/(\S) .*$/, '$1'));

describe('formatFlightTree()', () => {
  test('draws each node below the node from which it takes the content', () => {
    const nodes = [
      node('C', 'B', { hasBegun: false }),
      node('A', undefined, { role: 'holder' }),
      node('B', 'A'),
      node('E', 'A'),
      node('D', 'B', { addresses: [] }),
    ];
    expect(formatFlightTree(nodes, 'B')).toBe(`NODE   DEPTH  ROLE    HAS BYTES  ADDRESSES
A          0  holder  yes        10.0.0.1
  B        1  child   yes        10.0.0.2 (this node)
    C      2  child   no         10.0.0.3
    D      2  child   yes
  E        1  child   yes        10.0.0.5
`);
  });

  test.each<[string, readonly FlightNodeReport[], readonly string[]]>([
    ['of which the parent has gone', [node('A', 'X'), node('B', 'A')], ['A', '  B']],
    ['in a ring', [node('A', 'B'), node('B', 'A')], ['A', '  B']],
    ['that is its own parent', [node('A', 'A')], ['A']],
  ])('draws a node %s once', (_, nodes, drawn) => {
    expect(names(formatFlightTree(nodes, ''))).toEqual([...drawn]);
  });

  test('draws a chain as long as a cluster is large', () => {
    const nodes = Array.from({ length: 5000 }, (_, n) => node(`A${n}`, n === 0 ? undefined : `A${n - 1}`));
    const lines = formatFlightTree(nodes, '', { width: 80, hasColor: false }).split('\n');
    expect(lines).toHaveLength(5002);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines[5000]).toBe(`${' '.repeat(12)}A4999   4999  child  yes        10.0.0.1`);
  });
});
