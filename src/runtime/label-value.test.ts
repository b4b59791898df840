import { expect, test } from 'bun:test';
import { isLabelValue, MAX_LABEL_VALUE_LENGTH } from './label-value.ts';

test.each<[text: string, is: boolean]>([
  ['eu-central-1a', true],
  ['1', true],
  ['Rack_7.b', true],
  ['a'.repeat(MAX_LABEL_VALUE_LENGTH), true],
  ['a'.repeat(MAX_LABEL_VALUE_LENGTH + 1), false],
  ['', false],
  ['-a', false],
  ['a-', false],
  ['a b', false],
  ['a\n', false],
  ['é', false],
  ['a/b', false],
])('isLabelValue() of %p is %p', (text, is) => {
  expect(isLabelValue(text)).toBe(is);
});
