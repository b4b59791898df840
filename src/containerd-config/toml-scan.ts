import { parse } from 'smol-toml';

/** A table's header, `[host."https://a"]`. */
export interface TomlHeader {
  readonly path: readonly string[];
  /** Counted from 1. */
  readonly line: number;
  /** True for `[[…]]`. */
  readonly isArray: boolean;
}

/** A key that is set, also in an inline table. */
export interface TomlKey {
  /** All keys that lead to the value; `[]` for an item of an array. */
  readonly path: readonly string[];
  /** Counted from 1. */
  readonly line: number;
  /** How many of them the header, or the inline table, has said before; the key is a dotted one if that is not all but one. */
  readonly above: number;
}

/** What a parser takes that knows TOML 1.1, and that of containerd does not. */
export interface UnreadToml {
  /** Counted from 1. */
  readonly line: number;
  readonly what: string;
  readonly fix: string;
  /** The major versions of containerd that do not take it: 1.x has go-toml 1, 2.x has go-toml 2. */
  readonly majors: readonly number[];
}

/** What a TOML text has, in its order. */
export interface TomlScan {
  readonly headers: readonly TomlHeader[];
  readonly keys: readonly TomlKey[];
  readonly unread: readonly UnreadToml[];
}

const KEY_PART = String.raw`(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')`;
const KEY_PATH = String.raw`${KEY_PART}(?:[ \t]*\.[ \t]*${KEY_PART})*`;
const KEY = new RegExp(String.raw`(${KEY_PATH})[ \t]*=`, 'y');
const HEADER = new RegExp(String.raw`\[(\[?)[ \t]*(${KEY_PATH})[ \t]*\]\]?`, 'y');
/** Strings, comments, bare words with times in them, and single characters. */
const TOKEN =
  /"""(?:[^\\"]|\\[\s\S]|"(?!""))*"{3,5}|'''[\s\S]*?'{3,5}|"(?:[^\\"\n]|\\.)*"|'[^'\n]*'|#[^\n]*|[\w+:.-]+|[\s\S]/y;

/** Walks through a TOML 1.1 text. What it says of one that is not TOML is worth nothing. */
export function scanToml(text: string): TomlScan {
  const headers: TomlHeader[] = [];
  const keys: TomlKey[] = [];
  const unread: UnreadToml[] = [];
  const open: Array<{ readonly bracket: string; readonly path: readonly string[] }> = [];
  let table: readonly string[] = [];
  let value: readonly string[] = [];
  let line = 1;
  let last = '';
  let mayBeKey = true;
  let at = 0;
  const note = (...found: readonly Unread[]) => {
    for (const item of found) unread.push({ line, ...item });
  };
  if (text.startsWith('\uFEFF')) {
    note(BYTE_ORDER_MARK);
    at = 1;
  }
  while (at < text.length) {
    const inner = open.at(-1);
    const header = mayBeKey && inner === undefined ? matchAt(HEADER, text, at) : undefined;
    const key = mayBeKey && header === undefined ? matchAt(KEY, text, at) : undefined;
    if (header !== undefined || key !== undefined) {
      const [whole = '', ...groups] = header ?? key ?? [];
      const written = groups.at(-1) ?? '';
      note(...unreadEscapes(written));
      const above = header === undefined ? (inner?.path ?? table) : [];
      value = [...above, ...partsOf(written)];
      if (header === undefined) keys.push({ path: value, line, above: above.length });
      else headers.push({ path: (table = value), line, isArray: groups[0] === '[' });
      at += whole.length;
      mayBeKey = false;
      last = '=';
      continue;
    }
    const [token = ''] = matchAt(TOKEN, text, at) ?? [];
    const kind = token.charAt(0);
    at += Math.max(1, token.length);
    if (inner?.bracket === '{' && (kind === '\n' || kind === '#')) note(LONG_INLINE_TABLE);
    if (kind === '"') note(...unreadEscapes(token));
    if (/\d/.test(kind)) note(...unreadTimes(token, text.charAt(at)));
    if (kind === '{' || kind === '[') {
      open.push({ bracket: kind, path: inner?.bracket === '[' ? [...inner.path, '[]'] : value });
    } else if (kind === '}' || kind === ']') {
      if (kind === '}' && last === ',') note(LAST_COMMA);
      open.pop();
    }
    line += token.split('\n').length - 1;
    if (kind === '\n' && open.length === 0) mayBeKey = true;
    if (/\s/.test(kind) || kind === '#') continue;
    mayBeKey = kind === '{' || (kind === ',' && inner?.bracket === '{');
    last = kind;
  }
  return { headers, keys, unread };
}

/** The first thing that the parser of that containerd does not take, of a text that is TOML 1.1. */
export function findUnreadToml({ unread }: TomlScan, major: number): UnreadToml | undefined {
  return unread.find(({ majors }) => majors.includes(Math.min(major, 2)));
}

/** The sentence for it, without its line. */
export function formatUnreadToml({ what, fix }: UnreadToml, major: number): string {
  return `${what}, which containerd ${major}.x does not take: ${fix}`;
}

/** The line of what is at a path, or of what it is written in; undefined for what is nowhere. */
export function findLine({ headers, keys }: TomlScan, path: readonly string[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const leadsThere = (found: { readonly path: readonly string[] }) =>
      path.slice(0, length).every((key, index) => key === found.path[index]);
    const found = keys.find(leadsThere) ?? headers.find(leadsThere);
    if (found !== undefined) return found.line;
  }
  return undefined;
}

type Unread = Omit<UnreadToml, 'line'>;

const BYTE_ORDER_MARK: Unread = {
  what: 'a byte order mark',
  fix: 'save the file without it',
  majors: [2],
};
const LONG_INLINE_TABLE: Unread = {
  what: 'an inline table of more than one line',
  fix: 'write it on one line',
  majors: [2],
};
const LAST_COMMA: Unread = {
  what: 'a comma at the end of an inline table',
  fix: 'remove it',
  majors: [1, 2],
};

function unreadEscapes(strings: string): readonly Unread[] {
  const basic = strings.match(/"""[\s\S]*"""|"(?:[^\\"\n]|\\.)*"|'[^'\n]*'/g) ?? [];
  const escapes = new Set(
    basic
      .filter((string) => string.startsWith('"'))
      .flatMap((string) => Array.from(string.matchAll(/\\([\s\S])/g), ([, character]) => character)),
  );
  return [
    ...(escapes.has('x')
      ? [{ what: String.raw`the escape \x`, fix: String.raw`write \u00…`, majors: [1, 2] }]
      : []),
    ...(escapes.has('e')
      ? [{ what: String.raw`the escape \e`, fix: String.raw`write \u001b`, majors: [1] }]
      : []),
  ];
}

function unreadTimes(token: string, next: string): readonly Unread[] {
  if (/^(?:\d{4}-\d\d-\d\dT)?\d\d:\d\d(?![\d:])/i.test(token)) {
    return [{ what: 'a time without seconds', fix: 'add them', majors: [1] }];
  }
  const after = /^\d{4}-\d\d-\d\d(?!\d)/.test(token) ? token.charAt(10) || next : ' ';
  return ['', ' ', 'T'].includes(after)
    ? []
    : [{ what: 'a date with neither a T nor a space after it', fix: 'add one', majors: [1] }];
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function partsOf(key: string): readonly string[] {
  return Array.from(key.matchAll(new RegExp(KEY_PART, 'g')), ([part]) => {
    if (!part.startsWith('"')) return part.replaceAll("'", '');
    try {
      const { x } = parse(`x = ${part}`);
      return typeof x === 'string' ? x : part;
    } catch {
      return part.slice(1, -1);
    }
  });
}
