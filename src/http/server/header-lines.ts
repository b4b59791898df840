import type { ClientRequest } from '../http-server.ts';

type Line = readonly [name: string, value: string];

/** The headers of a request, by its lines: the few that are asked for are looked for, and no others are copied. */
export function createHeaderLines(lines: readonly Line[]): ClientRequest['headers'] {
  return new HeaderLines(lines);
}

/** A class, because each request makes such an object. */
class HeaderLines implements Iterable<Line> {
  readonly #lines: readonly Line[];

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  get(name: string): string | null {
    const wanted = name.toLowerCase();
    let found: string | null = null;
    for (const [each, value] of this.#lines) {
      if (each.length !== wanted.length || each.toLowerCase() !== wanted) continue;
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  [Symbol.iterator](): Iterator<Line> {
    return this.#lines[Symbol.iterator]();
  }
}
