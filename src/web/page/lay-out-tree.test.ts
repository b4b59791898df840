import { expect, test } from 'bun:test';
import { layOutTree } from './lay-out-tree.ts';

/** `b<a` is the node b below a. */
function drawn(text: string): readonly string[] {
  const nodes = text.split(' ').map((part) => {
    const [id = '', parent] = part.split('<');
    return { id, parent };
  });
  return layOutTree(nodes).map(
    ({ node, column, from, next, passing }) =>
      `${node.id} ${column}${from === undefined ? '' : `<${from}`}${next === undefined ? '' : ` ${next.id}`}${passing.map(({ column, to }) => ` |${column} ${to.id}`).join('')}`,
  );
}

test.each<[string, string, readonly string[]]>([
  ['a chain is one line', 'a b<a c<b', ['a 0 b', 'b 0<0 c', 'c 0<0']],
  [
    'the child with most below goes on in the column, after the others',
    'a b<a c<b d<a',
    ['a 0 b', 'd 1<0 |0 b', 'b 0<0 c', 'c 0<0'],
  ],
  [
    'lines pass by what is below another child',
    'a b<a c<a d<a e<b f<b g<e h<c i<h j<i k<j',
    [
      'a 0 c',
      'd 1<0 |0 c',
      'b 1<0 e |0 c',
      'f 2<1 |0 c |1 e',
      'e 1<1 g |0 c',
      'g 1<1 |0 c',
      'c 0<0 h',
      'h 0<0 i',
      'i 0<0 j',
      'j 0<0 k',
      'k 0<0',
    ],
  ],
  ['a node whose parent is not there stands at the top', 'a<x b', ['a 0', 'b 0']],
  ['a ring is opened', 'a<b b<a', ['a 0 b', 'b 0<0']],
  ['a node that is its own parent', 'a<a', ['a 0']],
])('layOutTree(): %s', (_, nodes, rows) => {
  expect(drawn(nodes)).toEqual(rows);
});

test('layOutTree() draws a chain of 10,000', () => {
  const nodes = Array.from({ length: 10_000 }, (_, n) => ({
    id: `${n}`,
    parent: n === 0 ? undefined : `${n - 1}`,
  }));
  const rows = layOutTree(nodes);
  expect(rows).toHaveLength(10_000);
  expect(rows.every(({ column }) => column === 0)).toBe(true);
});
