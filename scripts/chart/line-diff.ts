/** Lines around a change that are shown with it. */
const CONTEXT_LINES = 1;

/** A line of both texts, of the old one only (`-`), or of the new one only (`+`). */
interface Step {
  readonly mark: ' ' | '-' | '+';
  readonly line: string;
}

/** Thrown by applyDiff. */
export class DiffError extends Error {
  override readonly name = 'DiffError';
  readonly code = 'DIFF_DOES_NOT_APPLY';
}

/** The hunks of the unified format that make one text of another; empty for two that are the same. */
export function diffLines(before: string, after: string): string {
  const steps = stepsBetween(before.split('\n'), after.split('\n'));
  const isShown = (index: number) =>
    steps
      .slice(Math.max(0, index - CONTEXT_LINES), index + CONTEXT_LINES + 1)
      .some(({ mark }) => mark !== ' ');
  const hunks: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (let at = 0; at < steps.length;) {
    const start = { oldLine, newLine };
    const lines: string[] = [];
    for (; at < steps.length && isShown(at); at++) {
      const { mark, line } = steps[at] as Step;
      lines.push(`${mark}${line}`);
      if (mark !== '+') oldLine++;
      if (mark !== '-') newLine++;
    }
    if (lines.length === 0) {
      [at, oldLine, newLine] = [at + 1, oldLine + 1, newLine + 1];
      continue;
    }
    const place = (from: number, to: number) => `${from},${to - from}`;
    const head = `@@ -${place(start.oldLine, oldLine)} +${place(start.newLine, newLine)} @@`;
    hunks.push(`${[head, ...lines].join('\n')}\n`);
  }
  return hunks.join('');
}

/** The text that the hunks make of another. Throws DiffError when they are of yet another text. */
export function applyDiff(before: string, diff: string): string {
  const lines = before.split('\n');
  const result: string[] = [];
  let next = 0;
  // The last one is what is behind the last line's end.
  for (const text of diff.split('\n').slice(0, -1)) {
    const start = /^@@ -(\d+),/.exec(text)?.[1];
    if (start !== undefined) {
      result.push(...lines.slice(next, Number(start) - 1));
      next = Number(start) - 1;
      continue;
    }
    const [mark, line] = [text[0], text.slice(1)];
    if (mark !== '+' && lines[next] !== line) {
      throw new DiffError(
        `Line ${next + 1} is ${JSON.stringify(lines[next])}, the diff has ${JSON.stringify(line)}`,
      );
    }
    if (mark !== '+') next++;
    if (mark !== '-') result.push(line);
  }
  return [...result, ...lines.slice(next)].join('\n');
}

/** The shortest way from one list of lines to another. */
function stepsBetween(before: readonly string[], after: readonly string[]): readonly Step[] {
  const width = after.length + 1;
  /** For each pair of rests: how many lines they have in common, in order. */
  const common = new Uint16Array((before.length + 1) * width);
  for (let a = before.length - 1; a >= 0; a--) {
    for (let b = after.length - 1; b >= 0; b--) {
      common[a * width + b] =
        before[a] === after[b]
          ? (common[(a + 1) * width + b + 1] ?? 0) + 1
          : Math.max(common[(a + 1) * width + b] ?? 0, common[a * width + b + 1] ?? 0);
    }
  }
  const steps: Step[] = [];
  let [a, b] = [0, 0];
  while (a < before.length || b < after.length) {
    const [old, now] = [before[a], after[b]];
    if (old !== undefined && old === now) {
      steps.push({ mark: ' ', line: old });
      [a, b] = [a + 1, b + 1];
      continue;
    }
    const isGone =
      now === undefined ||
      (old !== undefined && (common[(a + 1) * width + b] ?? 0) >= (common[a * width + b + 1] ?? 0));
    if (isGone) steps.push({ mark: '-', line: before[a++] as string });
    else steps.push({ mark: '+', line: after[b++] as string });
  }
  return steps;
}
