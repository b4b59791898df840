import { type Look, PLAIN_LOOK } from './look.ts';
import { paint, type Tone } from './paint.ts';
import { harmless, textWidth, wrapText } from './text-width.ts';

/** What a line is about, and what is so. */
export type Fact = readonly [label: string, value: string, tone?: Tone | undefined];

const GAP = 2;
/** A value that has less room begins below its label. */
const LEAST_VALUE = 12;
const INDENT = 2;

/** The first line of a command: what has come of it, in a sentence. It is wrapped where it is longer than a line. */
export function formatVerdict(text: string, tone: Tone, look: Look): string {
  return lines(wrapText(harmless(text), look.width).map((line) => paint(line, tone, look)));
}

/** A text in lines as long as the look has them. `label` stands before the first line, and the other lines begin below its end. */
export function formatText(
  text: string,
  look: Look,
  { label = '' }: { readonly label?: string } = {},
): string {
  const margin = textWidth(label);
  const [first = '', ...others] = wrapText(harmless(text), Math.max(INDENT, look.width - margin));
  return lines([`${label}${first}`, ...others.map((line) => `${' '.repeat(margin)}${line}`)]);
}

/** Labels in a column, and beside them what is so; longer values go on below themselves. */
export function formatFacts(facts: readonly Fact[], look: Look = PLAIN_LOOK): string {
  const labels = Math.max(0, ...facts.map(([label]) => textWidth(harmless(label))));
  const isBelow = look.width - labels - GAP < LEAST_VALUE;
  const margin = isBelow ? INDENT : labels + GAP;
  return facts
    .map(([label, value, tone]) => {
      const name = harmless(label);
      const [first = '', ...others] = wrapText(harmless(value), Math.max(INDENT, look.width - margin));
      const below = others.map((line) => `${' '.repeat(margin)}${paint(line, tone, look)}`);
      if (!isBelow) {
        const padded = paint(name, 'faint', look) + ' '.repeat(labels - textWidth(name) + GAP);
        return lines([`${padded}${paint(first, tone, look)}`, ...below]);
      }
      const start = wrapText(name, look.width).map((line) => paint(line, 'faint', look));
      return lines([...start, `${' '.repeat(margin)}${paint(first, tone, look)}`, ...below]);
    })
    .join('');
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text.trimEnd()}\n`).join('');
}
