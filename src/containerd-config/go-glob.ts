import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';

/** A pattern that Go's filepath.Match refuses (ErrBadPattern). */
export class BadGlobError extends Error {
  override readonly name = 'BadGlobError';
  readonly code = 'BAD_GLOB';
}

/** What a pattern matches, and the folders that the user of this process may not list. Paths of the host. */
export interface GlobMatches {
  readonly paths: readonly string[];
  readonly forbidden: readonly string[];
}

/**
 * Go's filepath.Glob for an absolute path: `*`, `?`, classes with ranges and `^`, and `\` for the character after it, each within
 * one name. Sorted by folder. What cannot be read matches nothing, as there. Throws BadGlobError, for which Go needs a name that
 * the pattern is tried with.
 */
export async function expandGoGlob(host: HostRoot, glob: string): Promise<GlobMatches> {
  const parts = glob.split('/').filter((name) => name !== '');
  const forbidden: string[] = [];
  let paths = ['/'];
  let isLiteral = true;
  for (const part of parts) {
    isLiteral &&= !hasMeta(part);
    if (isLiteral) {
      paths = paths.map((path) => hostPath(path, part));
      continue;
    }
    const next: string[] = [];
    for (const path of paths) {
      const names = await host.readNames(path).catch((error: unknown) => {
        if (isPermissionError(error)) forbidden.push(path);
      });
      if (names === undefined || names.length === 0) continue;
      const pattern = goPattern(part);
      const found = names.filter((name) => pattern.test(name));
      next.push(...found.map((name) => hostPath(path, name)));
    }
    paths = next;
  }
  return { paths, forbidden };
}

/** The folder from which on a pattern has to be looked up: everything before its first part that is one. */
export function folderOfGlob(glob: string): string {
  const parts = glob.split('/').filter((name) => name !== '');
  const first = parts.findIndex((part) => hasMeta(part));
  return hostPath(...parts.slice(0, first === -1 ? -1 : first));
}

function hasMeta(part: string): boolean {
  return /[*?[\\]/.test(part);
}

/** The pattern for one name as a regular expression, or throws BadGlobError. */
function goPattern(pattern: string): RegExp {
  const characters = Array.from(pattern);
  let index = 0;
  const fail = () => new BadGlobError(`${JSON.stringify(pattern)} is not a pattern that containerd reads`);
  /** One character of a class or after a backslash. */
  const literal = (isInClass: boolean): string => {
    let character = characters[index];
    if (character === undefined || (isInClass && (character === '-' || character === ']'))) throw fail();
    if (character === '\\') {
      index += 1;
      character = characters[index];
      if (character === undefined) throw fail();
    }
    index += 1;
    return character;
  };
  const classOf = (): string => {
    const isNegated = characters[index] === '^';
    if (isNegated) index += 1;
    const ranges: string[] = [];
    while (characters[index] !== ']' || ranges.length === 0) {
      const low = literal(true);
      let high = low;
      if (characters[index] === '-') {
        index += 1;
        high = literal(true);
      }
      // A range that is the wrong way round matches nothing, and is not an error.
      if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0)) {
        ranges.push(`${codePoint(low)}-${codePoint(high)}`);
      } else ranges.push('');
      if (index >= characters.length) throw fail();
    }
    index += 1;
    return `[${isNegated ? '^' : ''}${ranges.join('')}]`;
  };

  let source = '';
  while (index < characters.length) {
    const character = characters[index];
    if (character === '\\') source += codePoint(literal(false));
    else {
      index += 1;
      if (character === '*') source += '.*';
      else if (character === '?') source += '.';
      else if (character === '[') source += classOf();
      else source += codePoint(character ?? '');
    }
  }
  return new RegExp(`^${source}$`, 'su');
}

function codePoint(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
