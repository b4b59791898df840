import type { ClientRequest } from '../http-server.ts';

/** The headers of a request, by its lines: the few that are asked for are looked for, and no others are copied. */
export function createHeaderLines(
  lines: readonly (readonly [name: string, value: string])[],
): ClientRequest['headers'] {
  const get = (name: string): string | null => {
    const wanted = name.toLowerCase();
    let found: string | null = null;
    for (const [each, value] of lines) {
      if (each.length !== wanted.length || each.toLowerCase() !== wanted) continue;
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  };
  return { get, has: (name) => get(name) !== null, [Symbol.iterator]: () => lines[Symbol.iterator]() };
}
