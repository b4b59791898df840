import { describe, expect, test } from 'bun:test';

import { applyDiff, DiffError, diffLines } from './line-diff.ts';

const TEXT = ['a', 'b', 'c', '', 'd', 'e', 'f', 'g', ''].join('\n');

describe('diffLines()', () => {
  test('shows what has changed with a line around it', () => {
    const after = TEXT.replace('b\n', 'B\nB2\n').replace('g\n', '');
    expect(diffLines(TEXT, after)).toBe(`@@ -1,3 +1,4 @@
 a
-b
+B
+B2
 c
@@ -7,3 +8,2 @@
 f
-g
 
`);
  });

  test.each([
    ['the same text', TEXT],
    ['a text that is empty', ''],
    ['a text without an end of its last line', 'a\nb'],
    ['lines in front', `x\ny\n${TEXT}`],
    ['lines behind', `${TEXT}x\n`],
    ['lines that look like a diff', TEXT.replace('c', '@@ -1,2 +1,2 @@\n-b\n+b')],
    ['other lines throughout', TEXT.replaceAll(/[a-g]/g, 'x')],
    ['lines in another order', TEXT.split('\n').toReversed().join('\n')],
  ])('makes what applyDiff() makes %s of', (_name, after) => {
    expect(applyDiff(TEXT, diffLines(TEXT, after))).toBe(after);
    expect(applyDiff(after, diffLines(after, TEXT))).toBe(TEXT);
  });

  test('is empty for two texts that are the same', () => {
    expect(diffLines(TEXT, TEXT)).toBe('');
  });
});

test('applyDiff() throws when the text is another', () => {
  const diff = diffLines(TEXT, TEXT.replace('b', 'B'));
  expect(() => applyDiff(TEXT.replace('b', 'x'), diff)).toThrow(DiffError);
});
