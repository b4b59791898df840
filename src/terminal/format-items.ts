import { type Cell, type Column, formatTable } from './format-table.ts';
import type { Look } from './look.ts';

/** A column, and what of an item stands in it. */
export interface ItemColumn<T> extends Column {
  readonly heading: string;
  readonly cell: (item: T) => Cell;
}

/** A table with a row for each item; columns that are undefined are left out. See formatTable. */
export function formatItems<T>(
  items: readonly T[],
  columns: ReadonlyArray<ItemColumn<T> | undefined>,
  look: Look,
): string {
  const shown = columns.filter((column) => column !== undefined);
  const rows = items.map((item) => shown.map(({ cell }) => cell(item)));
  return formatTable([shown.map(({ heading }) => heading), ...rows], { columns: shown, look });
}
