import type { Screen } from './look.ts';

/** A text on a terminal that is drawn anew in its place. Dispose it to get the cursor back. */
export interface Frame extends Disposable {
  /** Draws the text, of lines that end with a line feed, and below it a line. What has no room is left out, and told. */
  draw(text: string, foot: string): void;
}

// Of ECMA-48, 8.3: cursor up, erase to the end of the line, erase what is below, erase all, home.
const UP = (rows: number) => (rows > 0 ? `\r\u001B[${rows}A` : '\r');
const ERASE_LINE = '\u001B[K';
const ERASE_BELOW = '\u001B[J';
const CLEAR = '\u001B[2J\u001B[H';
// Of the DEC VT220 (DECTCEM).
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
/** Of a terminal that does not tell its size, as that of the VT100. */
const [DEFAULT_COLUMNS, DEFAULT_ROWS] = [80, 24];
/** The foot, the line that tells what is left out, and the cursor's own. */
const OTHER_ROWS = 3;

/**
 * Creates a frame where the cursor is. Each text is written over the text before it in one go, line by line, so that nothing flickers.
 * After a change of the terminal's size the screen is cleared first, because the terminal has then broken lines anew.
 */
export function createFrame(screen: Screen, write: (text: string) => void): Frame {
  let drawnRows: number | undefined;
  let size = '';
  return {
    draw(text, foot) {
      const columns = screen.columns() || DEFAULT_COLUMNS;
      const rows = screen.rows() || DEFAULT_ROWS;
      const height = (line: string) => Math.max(1, Math.ceil(Bun.stringWidth(line) / columns));
      const lines = text.split('\n').slice(0, -1);
      const shown = fitting(lines, height, Math.max(1, rows - OTHER_ROWS));
      const left = lines.length - shown.length;
      const all = [
        ...shown,
        ...(left === 0 ? [] : [`… ${left} more ${left === 1 ? 'line' : 'lines'}`]),
        foot,
      ];
      const start =
        drawnRows === undefined ? HIDE_CURSOR : size === `${columns} ${rows}` ? UP(drawnRows) : CLEAR;
      // At the end of a full line there is nothing to erase but its last letter.
      const drawn = all.map((line) => {
        const width = Bun.stringWidth(line);
        return `${line}${width > 0 && width % columns === 0 ? '' : ERASE_LINE}\n`;
      });
      write(`${start}${drawn.join('')}${ERASE_BELOW}`);
      drawnRows = all.reduce((sum, line) => sum + height(line), 0);
      size = `${columns} ${rows}`;
    },
    [Symbol.dispose]() {
      if (drawnRows !== undefined) write(SHOW_CURSOR);
    },
  };
}

/** The first lines that take at most so many rows. */
function fitting(
  lines: readonly string[],
  height: (line: string) => number,
  rows: number,
): readonly string[] {
  let used = 0;
  const end = lines.findIndex((line) => {
    used += height(line);
    return used > rows;
  });
  return end === -1 ? lines : lines.slice(0, end);
}
