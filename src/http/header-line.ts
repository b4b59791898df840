const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Parses a header's line (RFC 9112, section 5), as Latin-1 text without its CR LF: the name as sent, and the value without
 * spaces and tabs around it. Undefined for a folded line, a space before the colon, and control characters. It takes time
 * that grows with the line's length only: a pattern for the spaces and the value together is quadratic on a line of spaces.
 */
export function parseHeaderLine(line: string): readonly [name: string, value: string] | undefined {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) return undefined;
  const value = line.slice(name.length);
  return VALUE.test(value) ? [name.slice(0, -1), trimSpaces(value)] : undefined;
}

/** Without spaces and tabs at both ends. */
function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
