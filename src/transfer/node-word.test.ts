import { describe, expect, test } from 'bun:test';
import { formatNodeWord, type NodeWord, parseNodeWord } from './node-word.ts';

describe('parseNodeWord()', () => {
  test.each<[NodeWord]>([
    [{ zone: 'eu-central-1a', uploads: 3, name: 'ip-10-0-0-7.eu-central-1.compute.internal' }],
    [{ zone: 'a'.repeat(63), uploads: 0, name: undefined }],
    [{ zone: undefined, uploads: 12, name: 'a'.repeat(110) }],
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
    ['name=<b>; uploads=1', { uploads: 1 }],
  ])('takes of %p no more than makes sense', (text, word) => {
    expect(parseNodeWord(text)).toEqual({ zone: undefined, uploads: undefined, name: undefined, ...word });
  });

  test('leaves out a name that does not fit into what earlier versions read', () => {
    const word = { zone: 'a'.repeat(63), uploads: 100_000, name: 'b'.repeat(253) };
    const text = formatNodeWord(word);
    expect(text.length).toBeLessThanOrEqual(128);
    expect(parseNodeWord(text)).toEqual({ ...word, name: undefined });
  });
});
