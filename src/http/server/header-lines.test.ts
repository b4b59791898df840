import { expect, test } from 'bun:test';
import { createHeaderLines } from './header-lines.ts';

const LINES = [
  ['Host', 'node'],
  ['Range', 'bytes=0-'],
  ['X-Twice', 'a'],
  ['x-twice', 'b'],
  ['X-Empty', ''],
] as const;

test.each(['host', 'HOST', 'range', 'x-twice', 'X-Empty', 'x-none', 'rang', ''])(
  'createHeaderLines() finds %p as Headers do',
  (name) => {
    const lines = createHeaderLines(LINES);
    const headers = new Headers(LINES.map(([each, value]): [string, string] => [each, value]));
    // Headers refuse a name that no header can have.
    expect(lines.get(name)).toBe(name === '' ? null : headers.get(name));
    expect(lines.has(name)).toBe(name === '' ? false : headers.has(name));
  },
);

test('createHeaderLines() gives the lines as they came', () => {
  expect([...createHeaderLines(LINES)]).toEqual([...LINES]);
});
