const PRINTABLE_ASCII = /^[\x20-\x7E]*$/;
const ELLIPSIS = '…';
/** After these a name or an address is broken, where that leaves a line at least half full. */
const SEAM = /^[/:@,.-]$/;
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Columns that a text takes on a terminal. */
export function textWidth(text: string): number {
  return PRINTABLE_ASCII.test(text) ? text.length : Bun.stringWidth(text);
}

/** The text without control characters and the like: a name of another node must not send commands to the terminal. */
export function harmless(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

/** The text, with `…` in the place of its middle if it takes more than `width` columns, of which there is at least one. */
export function cutMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const right = Math.floor((width - 1) / 2);
  const parts = graphemes(text);
  const start = takeWidth(parts, width - 1 - right);
  const end = takeWidth(parts.toReversed(), right).toReversed();
  return `${start.join('')}${ELLIPSIS}${end.join('')}`;
}

/**
 * The text as lines of at most `width` columns, of which there are at least two, broken at spaces, and in a word where that is
 * longer than a line: there after a `/`, `:` or the like.
 */
export function wrapText(text: string, width: number): readonly string[] {
  if (textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (textWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = splitWord(word, width);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? '';
  }
  if (line !== '') lines.push(line);
  return lines.map((each) => each.trimEnd());
}

function splitWord(word: string, width: number): readonly string[] {
  const parts = graphemes(word);
  const isSeam = (part: string, at: number) => SEAM.test(part) && !SEAM.test(parts[at + 1] ?? '');
  const pieces: string[] = [];
  for (let start = 0; start < parts.length;) {
    // What is wider than a line by itself goes alone.
    const fitting = Math.max(1, takeWidth(parts.slice(start, start + width), width).length);
    const end = start + fitting;
    const seam = parts.slice(start, end).findLastIndex((part, at) => isSeam(part, start + at)) + 1;
    const taken = end < parts.length && seam > fitting / 2 ? seam : fitting;
    pieces.push(parts.slice(start, start + taken).join(''));
    start += taken;
  }
  return pieces;
}

function graphemes(text: string): readonly string[] {
  return PRINTABLE_ASCII.test(text)
    ? text.split('')
    : Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** As many of the first parts as take at most `width` columns. */
function takeWidth(parts: readonly string[], width: number): readonly string[] {
  let used = 0;
  const end = parts.findIndex((part) => {
    used += textWidth(part);
    return used > width;
  });
  return end === -1 ? parts : parts.slice(0, end);
}
