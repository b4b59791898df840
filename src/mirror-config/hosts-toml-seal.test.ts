import { describe, expect, test } from 'bun:test';
import { isSealed, seal } from './hosts-toml-seal.ts';

describe('isSealed()', () => {
  const text = "server = 'https://a.example'\n";

  test('isSealed() is true for what seal() wrote', () => {
    expect(isSealed(seal(text))).toBe(true);
  });

  test.each([
    ['has no first line of ours', text],
    ['was added to', `${seal(text)}# mine\n`],
    ['was changed', seal(text).replace('a.example', 'b.example')],
    ['lost its end', seal(text).slice(0, -1)],
    ['is empty', ''],
  ])('isSealed() is false when the text %s', (_what, edited) => {
    expect(isSealed(edited)).toBe(false);
  });
});
