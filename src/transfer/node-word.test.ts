import { describe, expect, test } from 'bun:test';
import { formatNodeWord, type NodeWord, parseNodeWord } from './node-word.ts';

describe('parseNodeWord()', () => {
  test.each<[NodeWord]>([
    [{ zone: 'eu-central-1a', uploads: 3 }],
    [{ zone: 'a'.repeat(63), uploads: 0 }],
    [{ zone: undefined, uploads: 12 }],
  ])('reads what formatNodeWord() wrote: %p', (word) => {
    expect(parseNodeWord(formatNodeWord(word))).toEqual(word);
  });

  test.each<[text: string | undefined, word: Partial<NodeWord>]>([
    [undefined, {}],
    ['', {}],
    ['zone=a b; uploads=-1', {}],
    ['zone=; uploads=1e3', {}],
    ['uploads=999999', {}],
    ['uploads=2;later=x; zone=b', { zone: 'b', uploads: 2 }],
    [`zone=b;${' '.repeat(200)}`, {}],
    ['zone=<b>', {}],
  ])('takes of %p no more than makes sense', (text, word) => {
    expect(parseNodeWord(text)).toEqual({ zone: undefined, uploads: undefined, ...word });
  });
});
