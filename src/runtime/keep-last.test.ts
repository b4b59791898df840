import { expect, test } from 'bun:test';
import { keepLast } from './keep-last.ts';

test('keepLast() works out a result once for each argument that differs from the one before', () => {
  const asked: string[] = [];
  const length = keepLast((text: string) => {
    asked.push(text);
    return text.length;
  });
  expect(['a', 'a', 'bcd', 'a'].map(length)).toEqual([1, 1, 3, 1]);
  expect(asked).toEqual(['a', 'bcd', 'a']);
});

test('keepLast() keeps nothing of work that throws', () => {
  let isBroken = true;
  const work = keepLast((text: string) => {
    if (isBroken) throw new Error('Broken');
    return text;
  });
  expect(() => work('a')).toThrow('Broken');
  isBroken = false;
  expect(work('a')).toBe('a');
});
