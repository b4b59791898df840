import { describe, expect, test } from 'bun:test';
import { parseHeaderLine } from './header-line.ts';

const SPACES = ' \t'.repeat(8000);

describe('parseHeaderLine()', () => {
  test.each<[line: string, name: string, value: string]>([
    ['A:b', 'A', 'b'],
    ['a-B: \tb c\t ', 'a-B', 'b c'],
    ['A:', 'A', ''],
    ['A: \t ', 'A', ''],
    ['A: b: c', 'A', 'b: c'],
    ['A: \xe9', 'A', '\xe9'],
    [`A:${SPACES}b${SPACES}c${SPACES}`, 'A', `b${SPACES}c`],
  ])('parseHeaderLine() of %j', (line, name, value) => {
    expect(parseHeaderLine(line)).toEqual([name, value]);
  });

  test.each(['', 'A', ':b', 'A : b', ' A: b', '\tb', 'A: \0', 'A: b\rc', 'A: b\nc', 'A\xe9: b', 'A: \x7f'])(
    'parseHeaderLine() refuses %j',
    (line) => {
      expect(parseHeaderLine(line)).toBeUndefined();
    },
  );

  // A hundred quadratic lines take a minute; the runner's time-out ends the test then.
  test('parseHeaderLine() takes lines of spaces in time that grows with their length only', () => {
    for (let times = 0; times < 400; times++) {
      expect(parseHeaderLine(`A: ${SPACES}\x01`)).toBeUndefined();
      expect(parseHeaderLine(`A: b${SPACES}c`)).toEqual(['A', `b${SPACES}c`]);
    }
  });
});
