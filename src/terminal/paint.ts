import type { Look } from './look.ts';

/** What a text means: as it should be, worth a look, wrong, of less importance; `head`: what stands above others. */
export type Tone = 'good' | 'poor' | 'bad' | 'faint' | 'head';

/** Of ECMA-48, 8.3.117 (SGR): green, yellow, red, faint, bold. */
const CODES: Readonly<Record<Tone, number>> = { good: 32, poor: 33, bad: 31, faint: 2, head: 1 };

/** The text in the colour of its tone; as it is where there are no colours. The text has to be harmless. */
export function paint(text: string, tone: Tone | undefined, { hasColor }: Pick<Look, 'hasColor'>): string {
  return tone === undefined || !hasColor || text === '' ? text : `\u001B[${CODES[tone]}m${text}\u001B[0m`;
}
