/** Lines around a change, as diff -u has them. */
const CONTEXT = 3;

/** Lines of a hosts.toml that are compared; a file of more is no hosts.toml that is worth reading. */
const MAX_LINES = 2000;
/** Longest line that is shown whole, in characters: a URL and a list of capabilities. */
const MAX_SHOWN = 300;

/** Names and texts of the two sides; an undefined text is a file that is not there. */
export interface DiffSides {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** A unified diff of one small text file, empty if the texts are equal. Credentials in it are not shown. */
export function formatDiff({ path, before, after }: DiffSides): string {
  if (before === after) return '';
  const [left, right] = [splitLines(before), splitLines(after)];
  const head = [
    `--- ${before === undefined ? '/dev/null' : path}`,
    `+++ ${after === undefined ? '/dev/null' : path}`,
  ];
  if (left.length > MAX_LINES || right.length > MAX_LINES) {
    return `${[...head, `# ${left.length} lines before, ${right.length} after: too many to show`].join('\n')}\n`;
  }
  const lines = compare(left, right);
  const hidden = new Set([...secretLines(left), ...secretLines(right)]);
  const hunks = findHunks(lines).flatMap(([start, end]) =>
    [hunkHead(lines, start, end)].concat(
      lines.slice(start, end).map(({ sign, text }) => `${sign}${shown(text, hidden.has(text))}`),
    ),
  );
  return `${[...head, ...hunks].join('\n')}\n`;
}

/** A last line without its line end is another one than with it, and diff says so on a line of its own. */
function splitLines(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') return lines.slice(0, -1);
  return [...lines.slice(0, -1), `${lines.at(-1)}\n\\ No newline at end of file`];
}

/** The longest common subsequence by the textbook's table: a hosts.toml has some ten lines. */
function compare(left: readonly string[], right: readonly string[]): Line[] {
  const width = right.length + 1;
  const common = new Uint32Array((left.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [old, made] = [left[i], right[j]];
    if (old !== undefined && old === made) {
      lines.push({ sign: ' ', text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (made === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: '-', text: old });
      i += 1;
    } else {
      lines.push({ sign: '+', text: made ?? '' });
      j += 1;
    }
  }
  return lines;
}

/** Ranges of lines with a change and its context, those that touch joined. */
function findHunks(lines: readonly Line[]): Array<[start: number, end: number]> {
  const hunks: Array<[number, number]> = [];
  lines.forEach(({ sign }, index) => {
    if (sign === ' ') return;
    const [start, end] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + CONTEXT + 1)];
    const last = hunks.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = end;
    else hunks.push([start, end]);
  });
  return hunks;
}

function hunkHead(lines: readonly Line[], start: number, end: number): string {
  const range = (other: Line['sign']) => {
    const count = (from: number, to: number) =>
      lines.slice(from, to).filter(({ sign }) => sign !== other).length;
    const size = count(start, end);
    return `${count(0, start) + (size === 0 ? 0 : 1)},${size}`;
  };
  return `@@ -${range('+')} +${range('-')} @@`;
}

/** The lines in `header` tables, where any value may be a password. */
function secretLines(lines: readonly string[]): readonly string[] {
  let isHeader = false;
  return lines.filter((line) => {
    if (/^\s*\[/.test(line)) isHeader = /\bheader["']?\s*\]/i.test(line);
    else if (isHeader || isInHeader(line)) return true;
    return false;
  });
}

/** A header in the form of a dotted key or of an inline table. */
function isInHeader(line: string): boolean {
  return /^\s*(?:\S*\.)?["']?header["']?\s*[.=]/i.test(line);
}

/** What is printed ends up in logs. */
function shown(line: string, isSecret: boolean): string {
  const key = /^\s*[^=\n]*=/.exec(line)?.[0];
  const text =
    !isSecret || line.trim() === '' ? line : key === undefined ? '(not shown)' : `${key} '(not shown)'`;
  const safe = text
    .replace(/^(\s*["']?authorization["']?\s*=\s*).*?(?=\n|$)/i, "$1'(not shown)'")
    .replaceAll(/\b(Basic|Bearer) [\w+/=.~-]+/gi, '$1 (not shown)')
    .replaceAll(/:\/\/[^\s/"'@]+@/g, '://(not shown)@');
  return safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}… (${safe.length} characters)` : safe;
}
