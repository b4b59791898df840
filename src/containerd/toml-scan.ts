import { parseTableHeader } from './toml-tree.ts';

/** The header of a table, `[host."https://a"]`; headers of arrays of tables are left out. */
export interface TomlHeader {
  readonly path: readonly string[];
  readonly line: number;
}

/** A place where a file is not TOML 1.0. */
export interface TomlDeviation {
  readonly line: number;
  readonly what: string;
  /** The major versions of containerd that do not take it; 1.x has go-toml 1, 2.x has go-toml 2. */
  readonly majors: readonly number[];
}

/**
 * Walks through a text that is valid TOML 1.1: its table headers in their order, and what containerd's parsers
 * do not take all the same.
 */
export function scanToml(text: string): {
  readonly headers: readonly TomlHeader[];
  readonly deviations: readonly TomlDeviation[];
} {
  const headers: TomlHeader[] = [];
  const deviations: TomlDeviation[] = [];
  const open: string[] = [];
  let line = 1;
  let startsLine = true;
  let last = '';
  const deviate = (what: string, majors = [2]) => deviations.push({ line, what, majors });
  if (text.startsWith('\uFEFF')) {
    deviate('the file begins with a byte order mark, which containerd 2.x does not take');
  }
  for (let at = text.startsWith('\uFEFF') ? 1 : 0; at < text.length; at += 1) {
    const rest = text.slice(at, at + 3);
    const char = rest.charAt(0);
    const isInline = open.at(-1) === '{';
    if (char === '\n') {
      if (isInline) deviate('containerd 2.x takes no line break in an inline table');
      line += 1;
      startsLine ||= open.length === 0;
    } else if (char === '#') {
      if (isInline) deviate('containerd 2.x takes no comment in an inline table');
      at = endOfLine(text, at) - 1;
    } else if (char === '"' || char === "'") {
      const end = endOfString(text, at);
      const string = text.slice(at, end);
      if (char === '"' && /(?<!\\)(?:\\\\)*\\x/.test(string)) {
        deviate(String.raw`containerd takes no \x in a text`, [1, 2]);
      }
      line += string.split('\n').length - 1;
      at = end - 1;
      startsLine = false;
      last = char;
    } else if (char === '[' && startsLine && open.length === 0) {
      const end = endOfLine(text, at);
      const path = parseTableHeader(text.slice(at, end).replace(/\r$/, ''));
      if (path !== undefined) headers.push({ path, line });
      at = end - 1;
    } else if (!/\s/.test(char)) {
      if (char === '[' || char === '{') open.push(char);
      if (/^\d{4}-\d\d-\d\d(?![\dT ])/.test(text.slice(at, at + 11)) && /[=[,\s]/.test(text.charAt(at - 1))) {
        deviate('containerd 1.x takes no date without a space after it', [1]);
      }
      if (char === ']' || char === '}') open.pop();
      if (char === '}' && last === ',') {
        deviate('containerd takes no comma before the } of an inline table', [1, 2]);
      }
      startsLine = false;
      last = char;
    }
  }
  return { headers, deviations };
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** After the closing quote; up to two more quotes before it belong to a string of several lines. */
function endOfString(text: string, from: number): number {
  const quote = text.charAt(from);
  const isLong = text.startsWith(quote.repeat(3), from);
  const closing = isLong ? quote.repeat(3) : quote;
  for (let at = from + closing.length; at < text.length; at += 1) {
    if (quote === '"' && text.charAt(at) === '\\') at += 1;
    else if (text.startsWith(closing, at)) {
      const end = at + closing.length;
      if (!isLong) return end;
      const more = text.slice(end, end + 2);
      return more === quote.repeat(2) ? end + 2 : more.startsWith(quote) ? end + 1 : end;
    }
  }
  return text.length;
}
