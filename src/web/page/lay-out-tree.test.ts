import { expect, test } from 'bun:test';
import { layOutTree } from './lay-out-tree.ts';

/** `b<a` is the node b below a. */
function drawn(text: string): readonly string[] {
  const nodes = text.split(' ').map((part) => {
    const [id = '', parent] = part.split('<');
    return { id, parent };
  });
  return layOutTree(nodes).map(
    ({ node, column, from, hasNext, passing, depth }) =>
      `${node.id} ${column}${from === undefined ? '' : `<${from}`}${hasNext ? ' next' : ''}${passing.length > 0 ? ` |${passing.join('|')}` : ''} ${depth}`,
  );
}

test.each<[string, string, readonly string[]]>([
  ['a chain is one line', 'a b<a c<b', ['a 0 next 0', 'b 0<0 next 1', 'c 0<0 2']],
  [
    'the child with most below goes on in the column, after the others',
    'a b<a c<b d<a',
    ['a 0 next 0', 'd 1<0 |0 1', 'b 0<0 next 1', 'c 0<0 2'],
  ],
  [
    'lines pass by what is below another child',
    'a b<a c<a d<a e<b f<b g<e h<c i<h j<i k<j',
    [
      'a 0 next 0',
      'd 1<0 |0 1',
      'b 1<0 next |0 1',
      'f 2<1 |0|1 2',
      'e 1<1 next |0 2',
      'g 1<1 |0 3',
      'c 0<0 next 1',
      'h 0<0 next 2',
      'i 0<0 next 3',
      'j 0<0 next 4',
      'k 0<0 5',
    ],
  ],
  ['a node whose parent is not there stands at the top', 'a<x b', ['a 0 0', 'b 0 0']],
  ['a ring is opened', 'a<b b<a', ['a 0 next 0', 'b 0<0 1']],
  ['a node that is its own parent', 'a<a', ['a 0 0']],
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
