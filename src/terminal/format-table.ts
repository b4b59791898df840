import { formatFacts } from './format-facts.ts';
import { type Look, PLAIN_LOOK } from './look.ts';
import { paint, type Tone } from './paint.ts';
import { cutMiddle, harmless, textWidth, wrapText } from './text-width.ts';

/** What stands in a row's column. */
export type Cell = string | TextCell;

/** A text that is more than its letters. */
export interface TextCell {
  readonly text: string;
  /** What stands for it where the table is too wide for the line. */
  readonly short?: string;
  readonly tone?: Tone | undefined;
}

/** How a column is laid out. */
export interface Column {
  /** Numbers stand at the right. Default left. */
  readonly align?: 'left' | 'right';
  /** What happens to a text that is wider than its column: it goes on in the next line (the default), or loses its middle. */
  readonly flow?: 'wrap' | 'cut';
  /** The width below which it is not made narrower while others can be. Default 10. */
  readonly least?: number;
  /** The column is left out where short forms are not enough to make the table fit. Default false. */
  readonly isOptional?: boolean;
}

/** The column of a digest, or of another name that is to be copied: its short form is not broken while there is room elsewhere. */
export const NAME_COLUMN: Column = { least: 20 };
/** A column of numbers. */
export const NUMBER_COLUMN: Column = { align: 'right' };

/** Options of formatTable. */
export interface TableOptions {
  /** By their place; a column that is not given has the defaults. */
  readonly columns?: ReadonlyArray<Column | undefined>;
  /** Default PLAIN_LOOK. */
  readonly look?: Look;
}

/** A cell that is ready to be laid out. */
interface Content {
  readonly text: string;
  readonly short: string;
  readonly tone: Tone | undefined;
}

const GAP = '  ';
/** A column is not made narrower than this, or than its heading. */
const LEAST_WIDTH = 10;

/**
 * Aligns columns with spaces; the last column is not padded. The first row is the heading. No line is longer than the look has it: first
 * short forms stand for the texts, from the last column on; then columns are left out that may be; then the widest columns are made
 * narrower; and where that is not enough, each row is a list of its columns.
 */
export function formatTable(
  rows: ReadonlyArray<readonly Cell[]>,
  { columns = [], look = PLAIN_LOOK }: TableOptions = {},
): string {
  const table = shorten(
    rows.map((row) => row.map(contentOf)),
    look.width,
  );
  const optional = columns.findLastIndex((column) => column?.isOptional === true);
  if (optional !== -1 && lineWidth(naturalWidths(table)) > look.width) {
    const others = rows.map((row) => row.toSpliced(optional, 1));
    return formatTable(others, { columns: columns.toSpliced(optional, 1), look });
  }
  const least = (column: number) => columns[column]?.least ?? LEAST_WIDTH;
  const widths = narrow(table, look.width, least) ?? narrow(table, look.width, () => LEAST_WIDTH);
  if (widths === undefined) return formatStacked(table, look);
  return table
    .map((row, rowIndex) => {
      const cells = row.map(({ text, tone }, column) => {
        const width = widths[column] ?? 0;
        const options = columns[column] ?? {};
        return {
          texts: options.flow === 'cut' ? [cutMiddle(text, width)] : wrapText(text, width),
          tone: rowIndex === 0 ? 'head' : tone,
          width,
          isRight: options.align === 'right',
        } as const;
      });
      const height = Math.max(1, ...cells.map(({ texts }) => texts.length));
      return Array.from({ length: height }, (_, line) => {
        const parts = cells.map(({ texts, tone, width, isRight }) => {
          const text = texts[line] ?? '';
          const space = ' '.repeat(Math.max(0, width - textWidth(text)));
          return isRight ? space + paint(text, tone, look) : paint(text, tone, look) + space;
        });
        return `${parts.join(GAP).trimEnd()}\n`;
      }).join('');
    })
    .join('');
}

function contentOf(cell: Cell): Content {
  if (typeof cell === 'string') return { text: harmless(cell), short: harmless(cell), tone: undefined };
  const { text, short = text, tone } = cell;
  return { text: harmless(text), short: harmless(short), tone };
}

type Table = ReadonlyArray<readonly Content[]>;

/** Puts short forms into as many columns as need it, from the last column on. */
function shorten(table: Table, width: number): Table {
  let shortened = table;
  for (let at = (table[0]?.length ?? 0) - 1; at >= 0 && lineWidth(naturalWidths(shortened)) > width; at--) {
    shortened = shortened.map((row) =>
      row.map((content, column) => (column === at ? { ...content, text: content.short } : content)),
    );
  }
  return shortened;
}

/** The widths at which the table fits; undefined: there are none. */
function narrow(
  table: Table,
  width: number,
  leastOf: (column: number) => number,
): readonly number[] | undefined {
  const widths = naturalWidths(table);
  const least = widths.map((natural, column) =>
    Math.min(natural, Math.max(leastOf(column), textWidth(table[0]?.[column]?.text ?? ''))),
  );
  for (let excess = lineWidth(widths) - width; excess > 0; excess--) {
    const spare = widths.map((each, column) => (each > (least[column] ?? 0) ? each : 0));
    const widest = Math.max(0, ...spare);
    if (widest === 0) return undefined;
    widths[spare.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function naturalWidths(table: Table): number[] {
  const widths: number[] = [];
  for (const row of table) {
    for (const [column, { text }] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, textWidth(text));
    }
  }
  return widths;
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1);
}

/** Each row as lines of heading and value. */
function formatStacked([heading = [], ...rows]: Table, look: Look): string {
  return rows
    .map((row) =>
      formatFacts(
        row.flatMap(({ text, tone }, column) =>
          text === '' ? [] : [[heading[column]?.text ?? '', text, tone] as const],
        ),
        look,
      ),
    )
    .join('\n');
}
