import { describe, expect, test } from 'bun:test';
import { type Cell, type Column, formatTable, NAME_COLUMN, NUMBER_COLUMN } from './format-table.ts';
import { createRandom, randomText } from './random-text.fixture.ts';
import { textWidth } from './text-width.ts';

const look = (width: number) => ({ width, hasColor: false });
const longest = (text: string) => Math.max(...text.split('\n').map(textWidth));

describe('formatTable()', () => {
  test('aligns columns and does not pad the last one', () => {
    const rows = [
      ['NAME', 'BYTES', 'FROM'],
      ['a', '5 B', '10.0.0.2'],
      ['longer', '12.3 MB', '-'],
    ];
    expect(formatTable(rows)).toBe('NAME    BYTES    FROM\na       5 B      10.0.0.2\nlonger  12.3 MB  -\n');
    expect(formatTable(rows, { columns: [undefined, NUMBER_COLUMN], look: look(80) })).toBe(
      'NAME      BYTES  FROM\na           5 B  10.0.0.2\nlonger  12.3 MB  -\n',
    );
  });

  test('writes short forms where the whole ones have no room, the last column first', () => {
    const id: Cell = { text: 'one-two-three-four', short: 'one…four' };
    const rows = [
      ['A', 'B', 'C'],
      [id, 'x', id],
    ];
    expect(formatTable(rows, { look: look(43) })).toContain('one-two-three-four  x  one-two-three-four\n');
    expect(formatTable(rows, { look: look(40) })).toContain('one-two-three-four  x  one…four\n');
    expect(formatTable(rows, { look: look(30) })).toContain('one…four  x  one…four\n');
  });

  test('goes on in the next line, or leaves out the middle, where there is no room', () => {
    const rows = [
      ['ADDRESSES', 'STATE', 'PEER'],
      ['10.0.0.2 fd00::2', 'connected', '12D3KooWabcdefghijklmnop'],
    ];
    expect(formatTable(rows, { columns: [undefined, undefined, { flow: 'cut' }], look: look(35) })).toBe(
      `ADDRESSES    STATE      PEER
10.0.0.2     connected  12D3K…lmnop
fd00::2
`,
    );
  });

  test('leaves out a column that may be, where there is no room', () => {
    const rows = [
      ['A', 'B', 'C'],
      ['first', 'second', 'third'],
    ];
    const columns = [undefined, { isOptional: true }];
    expect(formatTable(rows, { columns, look: look(20) })).toBe('A      B       C\nfirst  second  third\n');
    expect(formatTable(rows, { columns, look: look(19) })).toBe('A      C\nfirst  third\n');
  });

  test('narrows a column of names last', () => {
    const rows = [
      ['NAME', 'TEXT'],
      ['sha256:0123456789ab…', 'words that can stand below each other'],
    ];
    const first = (columns: readonly Column[]) =>
      formatTable(rows, { columns, look: look(32) }).split('\n')[1];
    expect(first([NAME_COLUMN])).toStartWith('sha256:0123456789ab…  words');
    expect(first([])).not.toContain('sha256:0123456789ab…');
  });

  test('lists the columns of each row where they cannot stand side by side', () => {
    const rows = [
      ['ADDRESSES', 'STATE', 'PEER'],
      ['10.0.0.2', 'connected', '12D3KooWa'],
      ['', 'dead', '12D3KooWb'],
    ];
    expect(formatTable(rows, { look: look(25) })).toBe(
      `ADDRESSES  10.0.0.2
STATE      connected
PEER       12D3KooWa

STATE  dead
PEER   12D3KooWb
`,
    );
  });

  test('colours headings and cells, and nothing else', () => {
    const rows = [
      ['STATE', 'PEER'],
      [{ text: 'dead', tone: 'bad' } as const, 'a'],
    ];
    const coloured = formatTable(rows, { look: { width: 80, hasColor: true } });
    expect(coloured).toBe('\u001B[1mSTATE\u001B[0m  \u001B[1mPEER\u001B[0m\n\u001B[31mdead\u001B[0m   a\n');
    expect(Bun.stripANSI(coloured)).toBe(formatTable(rows));
  });

  test.each([20, 60, 80, 200])('makes no line longer than %d columns, whatever stands in it', (width) => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = createRandom(seed);
      const count = 1 + Math.floor(random() * 9);
      const text = (length: number) => randomText(Math.floor(random() * 2 ** 31), length);
      const cell = (): Cell =>
        random() < 0.5 ? text(30) : { text: text(90), short: text(20), tone: 'good' };
      const columns = Array.from({ length: count }, (): Column => ({
        align: random() < 0.3 ? 'right' : 'left',
        flow: random() < 0.3 ? 'cut' : 'wrap',
        isOptional: random() < 0.1,
        ...(random() < 0.3 ? { least: Math.floor(random() * 40) } : {}),
      }));
      const rows = Array.from({ length: 4 }, () => Array.from({ length: count }, cell));
      const printed = formatTable(rows, { columns, look: look(width) });
      expect(longest(printed), `seed ${seed}`).toBeLessThanOrEqual(width);
      // oxlint-disable-next-line no-control-regex
      expect(printed).not.toMatch(/[^\n\P{C}]/u);
      const coloured = formatTable(rows, { columns, look: { width, hasColor: true } });
      expect(Bun.stripANSI(coloured).replaceAll(/ +$/gm, '')).toBe(printed);
    }
  });

  test('loses nothing that has room in several lines', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const cells = [1, 2, 3].map((n) => randomText(seed * 10 + n, 100).replaceAll(/[\s\p{C}]/gu, '') || '-');
      const printed = formatTable([['A', 'B', 'C'], cells], { look: look(60) });
      const letters = (text: string) => Array.from(text).sort().join('');
      expect(letters(printed.replaceAll(/\s/g, ''))).toBe(letters(`ABC${cells.join('')}`));
    }
  });
});
