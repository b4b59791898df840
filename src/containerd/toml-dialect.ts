/** What containerd's TOML parser does not take, and where. Lines are counted from 1. */
export interface UnreadToml {
  readonly line: number;
  readonly what: string;
}

/**
 * Finds what a TOML parser takes that knows TOML 1.1, and that of containerd does not: go-toml 1 in containerd 1.x, go-toml 2
 * in 2.x, which also refuses a byte order mark. The first such place; undefined for a text that both take, and for one that
 * is not TOML at all.
 */
export function findUnreadToml(text: string, major: number): UnreadToml | undefined {
  const isNew = major >= 2;
  if (isNew && text.startsWith('\u{feff}')) return { line: 1, what: 'a byte order mark' };
  /** Brackets that are open. */
  const open: string[] = [];
  let line = 1;
  for (let index = 0; index < text.length;) {
    TOKEN.lastIndex = index;
    const [token = ''] = TOKEN.exec(text) ?? [];
    const kind = token[0] ?? '';
    if (kind === '{' || kind === '[') open.push(kind);
    else if (kind === ']' || kind === '}') open.pop();
    index += Math.max(1, token.length);
    const end = index;
    const isInline = open.at(-1) === '{';
    const what = unreadToken(token, { isNew, isInline, isLast: () => END_OF_TABLE.test(text.slice(end)) });
    if (what !== undefined) return { line, what };
    line += token.split('\n').length - 1;
  }
  return undefined;
}

/** Strings, comments, bare words with times in them, and single characters. */
const TOKEN =
  /"""(?:[^\\"]|\\[\s\S]|"(?!""))*"{3,5}|'''[\s\S]*?'{3,5}|"(?:[^\\"\n]|\\.)*"|'[^'\n]*'|#[^\n]*|[\w+:.-]+|[\s\S]/y;
/** What may stand between a comma and the end of a table. */
const END_OF_TABLE = /^(?:[^\S\n]*(?:#[^\n]*)?\n)*[^\S\n]*\}/;

interface TokenPlace {
  readonly isNew: boolean;
  /** True in an inline table. */
  readonly isInline: boolean;
  /** True if nothing comes after it in its table. */
  readonly isLast: () => boolean;
}

function unreadToken(token: string, { isNew, isInline, isLast }: TokenPlace): string | undefined {
  switch (token.slice(0, 1)) {
    case '"':
      return unreadEscape(token, isNew);
    case '\n':
    case '#':
      return isInline && isNew ? 'an inline table of more than one line' : undefined;
    case ',':
      return isInline && isLast() ? 'a comma at the end of an inline table' : undefined;
    default:
      return !isNew && /^(?:\d{4}-\d{2}-\d{2}T)?\d{2}:\d{2}(?![\d:])/i.test(token)
        ? 'a time without seconds'
        : undefined;
  }
}

function unreadEscape(token: string, isNew: boolean): string | undefined {
  const escapes = new Set(Array.from(token.matchAll(/\\([\s\S])/g), ([, character]) => character));
  if (escapes.has('x')) return String.raw`the escape \x`;
  return !isNew && escapes.has('e') ? String.raw`the escape \e` : undefined;
}
