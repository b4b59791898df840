import { describe, expect, test } from 'bun:test';
import { formatFacts, formatText, formatVerdict } from './format-facts.ts';
import { randomText } from './random-text.fixture.ts';
import { textWidth } from './text-width.ts';

const look = (width: number) => ({ width, hasColor: false });

describe('formatFacts()', () => {
  test('puts values beside their labels, and goes on below the value', () => {
    const facts = [
      ['addresses', '/ip4/10.0.0.1/tcp/5001 /ip6/fd00::1/tcp/5001'],
      ['zone', 'eu-1a'],
    ] as const;
    expect(formatFacts(facts, look(40))).toBe(`addresses  /ip4/10.0.0.1/tcp/5001
           /ip6/fd00::1/tcp/5001
zone       eu-1a
`);
    expect(formatFacts(facts)).toContain('addresses  /ip4/10.0.0.1/tcp/5001 /ip6/');
  });

  test('begins a value below a label that leaves it no room', () => {
    expect(formatFacts([['a label of some length', 'value']], look(30))).toBe(
      'a label of some length\n  value\n',
    );
  });

  test.each([20, 60, 80, 200])('makes no line longer than %d columns', (width) => {
    for (let seed = 1; seed <= 300; seed++) {
      const facts = [1, 2, 3].map((n) => [randomText(seed + n, 30), randomText(seed * 7 + n, 200)] as const);
      const printed = formatFacts(facts, look(width));
      const text = formatText(randomText(seed, 300), look(width), { label: '  seen  ' });
      const verdict = formatVerdict(randomText(seed, 300), 'good', look(width));
      for (const line of `${printed}${text}${verdict}`.split('\n')) {
        expect(textWidth(line), `seed ${seed}`).toBeLessThanOrEqual(width);
      }
    }
  });
});

describe('formatText()', () => {
  test('begins other lines below the end of the label', () => {
    expect(formatText('one two three', look(14), { label: '  fix  ' })).toBe(
      '  fix  one two\n       three\n',
    );
  });
});

describe('formatVerdict()', () => {
  test('colours each of its lines', () => {
    expect(formatVerdict('all is well here', 'good', { width: 9, hasColor: true })).toBe(
      '\u001B[32mall is\u001B[0m\n\u001B[32mwell here\u001B[0m\n',
    );
  });
});
