import { expect, test } from 'bun:test';

import { createHeapTrim } from './trim-heap.ts';

test('createHeapTrim() shrinks a large process, collects where it has grown, and leaves it otherwise', () => {
  const trim = createHeapTrim({ shrink: () => {}, collect: () => {} });
  const done = [70, 66, 73, 74, 30, 31, 32, 32, 39, 45].map((mib) => trim(mib * 1024 * 1024));
  expect(done).toEqual([
    'shrunk',
    'left',
    // 2 MiB more than the least: garbage. 8 MiB more than what shrinking left: compiled code, too.
    'collected',
    'shrunk',
    'left',
    'left',
    'collected',
    'left',
    'collected',
    'shrunk',
  ]);
});
