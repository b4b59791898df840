import { describe, expect, test } from 'bun:test';
import { randomText } from './random-text.fixture.ts';
import { cutMiddle, harmless, textWidth, wrapText } from './text-width.ts';

describe('textWidth()', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['日本', 4],
    ['e\u0301', 1],
    ['…', 1],
  ])('textWidth() of %j is %d', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
});

describe('harmless()', () => {
  test.each([
    ['plain ~', 'plain ~'],
    ['\u001B[2J', '?[2J'],
    ['a\r\nb\tc', 'a??b?c'],
    // Turns what follows around; is not seen at all.
    ['a\u202Eb\u200Bc', 'a?b?c'],
    ['\u0085\u2028\u2029\u007F', '????'],
    ['größe 日本', 'größe 日本'],
  ])('harmless() of %j is %j', (text, expected) => {
    expect(harmless(text)).toBe(expected);
  });
});

describe('cutMiddle()', () => {
  test.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'ab…ef'],
    ['abcdef', 4, 'ab…f'],
    ['abcdef', 1, '…'],
    ['日本語日本語', 7, '日…語'],
  ])('cutMiddle() of %j in %d columns is %j', (text, width, expected) => {
    expect(cutMiddle(text, width)).toBe(expected);
  });
});

describe('wrapText()', () => {
  test.each<[string, number, readonly string[]]>([
    ['', 5, ['']],
    ['one two', 7, ['one two']],
    ['one two three', 7, ['one two', 'three']],
    ['a longword', 5, ['a', 'longw', 'ord']],
    ['fd00:10:244:1::11', 14, ['fd00:10:244:', '1::11']],
    ['registry.lab/team/app', 15, ['registry.lab/', 'team/app']],
    ['日本語', 4, ['日本', '語']],
  ])('wrapText() of %j in %d columns is %j', (text, width, expected) => {
    expect(wrapText(text, width)).toEqual([...expected]);
  });

  test('wrapText() loses nothing and makes no line too long, whatever the text', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const text = harmless(randomText(seed, 120));
      const lines = wrapText(text, 11);
      expect(Math.max(...lines.map(textWidth)), text).toBeLessThanOrEqual(11);
      expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
    }
  });

  test('cutMiddle() makes no text too long, whatever it is', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const text = harmless(randomText(seed, 60));
      for (const width of [1, 2, 9, 16]) expect(textWidth(cutMiddle(text, width))).toBeLessThanOrEqual(width);
    }
  });
});
