import { createHash } from 'node:crypto';

const SEAL = /^# Written by `spegel configure`\.[^\n]* sha256:([0-9a-f]{64})\n/;

/** Puts a first line before the text by which isSealed knows it again. */
export function seal(text: string): string {
  return `# Written by \`spegel configure\`. What was here is in _backup; an edit counts as yours and goes there. sha256:${hash(text)}\n${text}`;
}

/** True if the text is as `seal` has written it: a file that somebody edited since is theirs. */
export function isSealed(text: string): boolean {
  const match = SEAL.exec(text);
  return match !== null && match[1] === hash(text.slice(match[0].length));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
