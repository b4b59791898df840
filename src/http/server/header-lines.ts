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
    const lines = this.#lines;
    // By index: it is done several times for each request.
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at];
      if (line?.[0].length !== wanted.length || line[0].toLowerCase() !== wanted) continue;
      found = found === null ? line[1] : `${found}, ${line[1]}`;
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
