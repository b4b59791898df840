import { describe, expect, test } from 'bun:test';
import { createFrame } from './frame.ts';

/** A terminal as far as frames need it: lines that wrap at its edge, and the sequences of ECMA-48 that createFrame writes. */
function createTerminal(size: { columns: number; rows: number }) {
  let cells: string[][] = [[]];
  let [row, column] = [0, 0];
  let isCursorShown = true;
  let scrolled = 0;
  const lineFeed = () => {
    row++;
    cells[row] ??= [];
    if (row < size.rows) return;
    cells.shift();
    row--;
    scrolled++;
  };
  const put = (letter: string) => {
    if (column === size.columns) {
      column = 0;
      lineFeed();
    }
    const line = (cells[row] ??= []);
    while (line.length < column) line.push(' ');
    line[column++] = letter;
  };
  const control = (code: string) => {
    const [name, count] = [code.at(-1), code.slice(2, -1)];
    if (code === '\u001B[?25l') isCursorShown = false;
    else if (code === '\u001B[?25h') isCursorShown = true;
    else if (code === '\u001B[2J') cells = [[]];
    else if (name === 'H') [row, column] = [0, 0];
    else if (name === 'A') row = Math.max(0, row - Number(count));
    // After the last letter of a full line the cursor stands on that letter.
    else if (name === 'K') cells[row]?.splice(Math.min(column, size.columns - 1));
    else if (name === 'J') {
      cells[row]?.splice(column);
      cells.splice(row + 1);
    } else if (name !== 'm') throw new Error(`This terminal does not know ${JSON.stringify(code)}`);
  };
  return {
    write(text: string) {
      // oxlint-disable-next-line no-control-regex
      for (const [token] of text.matchAll(/\u001B\[\??\d*[A-Za-z]|[^]/g)) {
        if (token === '\r') column = 0;
        else if (token === '\n') {
          lineFeed();
          column = 0;
        } else if (token.length > 1) control(token);
        else put(token);
      }
    },
    text: () => cells.map((line) => line.join('').trimEnd()).join('\n'),
    isCursorShown: () => isCursorShown,
    scrolled: () => scrolled,
  };
}

const open = (columns: number, rows: number) => {
  const size = { columns, rows };
  const terminal = createTerminal(size);
  const writes: string[] = [];
  const frame = createFrame({ columns: () => size.columns, rows: () => size.rows }, (text) => {
    writes.push(text);
    terminal.write(text);
  });
  return { size, terminal, frame, writes };
};

describe('createFrame()', () => {
  test('draws each text in the place of the last one, in one go', () => {
    const { terminal, frame, writes } = open(20, 10);
    terminal.write('$ command\n');
    frame.draw('first line\nsecond line\nthird\n', 'foot');
    frame.draw('short\n', 'foot 2');
    expect(terminal.text()).toBe('$ command\nshort\nfoot 2\n');
    frame.draw('long again\nmore\n', 'foot 3');
    expect(terminal.text()).toBe('$ command\nlong again\nmore\nfoot 3\n');
    expect(writes).toHaveLength(3);
    // What is erased before it is drawn anew flickers.
    for (const text of writes) expect(text).not.toContain('\u001B[2J');
  });

  test('gives the cursor back', () => {
    const { terminal, frame } = open(20, 10);
    frame.draw('text\n', 'foot');
    expect(terminal.isCursorShown()).toBe(false);
    frame[Symbol.dispose]();
    expect(terminal.isCursorShown()).toBe(true);
  });

  test('leaves alone a cursor that it has not taken', () => {
    const { frame, writes } = open(20, 10);
    frame[Symbol.dispose]();
    expect(writes).toEqual([]);
  });

  test('leaves out what is longer than the terminal is high, so that nothing scrolls away', () => {
    const { terminal, frame } = open(20, 6);
    const lines = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}\n`).join('');
    frame.draw(lines(30), 'foot');
    frame.draw(lines(30), 'foot');
    expect(terminal.text()).toBe('line 0\nline 1\nline 2\n… 27 more lines\nfoot\n');
    expect(terminal.scrolled()).toBe(0);
    frame.draw(lines(4), 'foot');
    expect(terminal.text()).toBe('line 0\nline 1\nline 2\n… 1 more line\nfoot\n');
  });

  test('knows that lines as wide as the terminal and wider ones take their rows', () => {
    const { terminal, frame } = open(10, 12);
    const text = `${'a'.repeat(10)}\n${'b'.repeat(25)}\n`;
    frame.draw(text, 'foot');
    frame.draw(text.toUpperCase(), '\u001B[2mFOOT\u001B[0m');
    expect(terminal.text()).toBe(`${'A'.repeat(10)}\n${'B'.repeat(10)}\n${'B'.repeat(10)}\nBBBBB\nFOOT\n`);
  });

  test('begins anew on a terminal of another size', () => {
    const { size, terminal, frame } = open(20, 10);
    frame.draw('first line\nsecond\n', 'foot');
    size.columns = 12;
    frame.draw('other\n', 'foot');
    expect(terminal.text()).toBe('other\nfoot\n');
    frame.draw('again\n', 'foot');
    expect(terminal.text()).toBe('again\nfoot\n');
  });
});
