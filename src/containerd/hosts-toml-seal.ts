import { createHash } from 'node:crypto';

const SEAL =
  /^# Written by `spegel configure`\. Edited, it counts as yours and is not replaced\. sha256:([0-9a-f]{64})\n/;

/** Puts a first line before the text by which isSealed knows it again. */
export function seal(text: string): string {
  return `# Written by \`spegel configure\`. Edited, it counts as yours and is not replaced. sha256:${hash(text)}\n${text}`;
}

/** True if the text is as `seal` has written it: a file that somebody edited since is not ours to overwrite. */
export function isSealed(text: string): boolean {
  const match = SEAL.exec(text);
  return match !== null && match[1] === hash(text.slice(match[0].length));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
