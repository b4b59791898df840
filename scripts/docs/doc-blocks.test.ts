import { describe, expect, test } from 'bun:test';
import { parseBlocks } from './doc-blocks.ts';

describe('parseBlocks()', () => {
  test('parseBlocks() finds blocks with their language and mark', () => {
    const text = 'Text\n\n<!-- run: lab -->\n```sh\na\nb\n```\n\n````\n```\n````\n\n```toml\nx = 1\n```\n';
    expect(parseBlocks(text, 'a.md')).toEqual([
      { file: 'a.md', line: 4, language: 'sh', text: 'a\nb', runner: 'lab' },
      { file: 'a.md', line: 9, language: '', text: '```', runner: undefined },
      { file: 'a.md', line: 13, language: 'toml', text: 'x = 1', runner: undefined },
    ]);
  });

  test.each([
    ['<!-- run: nowhere -->\n```sh\na\n```', 'a.md:1: "nowhere" is none of'],
    ['<!-- run: lab -->\n\n```sh\na\n```', 'a.md:1: there is no block'],
    ['<!-- run: lab -->\n```toml\na\n```', 'a.md:1: there is no block'],
    ['```sh\na', 'a.md:1: this block has no end'],
  ])('parseBlocks() throws for %j', (text, message) => {
    expect(() => parseBlocks(text, 'a.md')).toThrow(message);
  });
});
