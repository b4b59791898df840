/**
 * The text with the part between `<!-- made by bun run reference: NAME -->` and the next `<!-- end -->` replaced. Throws if
 * the text has no such part.
 */
export function withGeneratedPart(text: string, name: string, part: string): string {
  const startMark = `<!-- made by bun run reference: ${name} -->\n`;
  const endMark = '<!-- end -->\n';
  const start = text.indexOf(startMark);
  const end = text.indexOf(endMark, start);
  if (start === -1 || end === -1) throw new Error(`There is no ${startMark.trim()} … ${endMark.trim()}`);
  return text.slice(0, start + startMark.length) + part + text.slice(end);
}
