/** What names could have: words, long names, wide letters, marks above letters, flags, and what must not get to a terminal. */
const PARTS = [
  ' ',
  '  ',
  'a',
  'word',
  'sha256:0123456789abcdef0123456789abcdef',
  'registry.example:5000/team/app',
  'fd00:10:244:1::11',
  '日本',
  'e\u0301',
  'ü',
  '👍🏽',
  '👩‍👩‍👧',
  '🇩🇪',
  '…',
  '\u001B[31m',
  '\n',
  '\u202E',
  '\u200B',
  'x'.repeat(150),
] as const;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A text of up to about `length` letters, the same for the same seed. */
export function randomText(seed: number, length: number): string {
  const random = createRandom(seed);
  const least = random() * length;
  let text = '';
  while (text.length < least) text += PARTS[Math.floor(random() * PARTS.length)] ?? '';
  return text;
}
