import { parseTableHeader } from './toml-tree.ts';

/** Lines of a file, counted from 1, both included. */
export interface LineRange {
  readonly first: number;
  readonly last: number;
}

/** A table's header with the lines that belong to it, up to the next header. */
interface Section extends LineRange {
  readonly path: readonly string[];
}

/** The line on which a key is set, as `key = …` in its own table; undefined if it is written in another way. */
export function findKeyLine(text: string, path: readonly string[]): number | undefined {
  const lines = text.split('\n');
  const key = path.at(-1) ?? '';
  const table = path.slice(0, -1);
  for (const { path, first, last } of sectionsOf(lines)) {
    if (!isSame(path, table)) continue;
    for (let number = first; number <= last; number += 1) {
      const [, bare, double, single] =
        /^\s*(?:([\w-]+)|"([^"\\]*)"|'([^']*)')\s*=/.exec(lines[number - 1] ?? '') ?? [];
      if ((bare ?? double ?? single) === key) return number;
    }
  }
  return undefined;
}

/** The line of a table's header, undefined if it has none. */
export function findTableLine(text: string, path: readonly string[]): number | undefined {
  return sectionsOf(text.split('\n')).find((section) => path.length > 0 && isSame(section.path, path))?.first;
}

/** The lines of a table and of all tables below it, without blank lines at their end. */
export function findTableRanges(text: string, path: readonly string[]): readonly LineRange[] {
  const lines = text.split('\n');
  return sectionsOf(lines)
    .filter((section) => isSame(section.path.slice(0, path.length), path))
    .map(({ first, last }) => {
      let end = last;
      while (end > first && (lines[end - 1] ?? '').trim() === '') end -= 1;
      return { first, last: end };
    });
}

function sectionsOf(lines: readonly string[]): readonly Section[] {
  const headers = lines.flatMap((line, index) => {
    const path = parseTableHeader(line);
    return path === undefined ? [] : [{ path, first: index + 1 }];
  });
  return [{ path: [], first: 1 }, ...headers].map(({ path, first }, index) => ({
    path,
    first,
    last: (headers[index]?.first ?? lines.length + 1) - 1,
  }));
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((key, index) => key === right[index]);
}
