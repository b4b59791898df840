import { expect, test } from 'bun:test';
import { createLook, type LookOptions } from './look.ts';

const screen = (columns: number | undefined) => ({ columns: () => columns, rows: () => 24 });

test.each<[string, Partial<LookOptions>, number, boolean]>([
  ['a pipe', {}, 80, false],
  ['a terminal', { screen: screen(133) }, 133, true],
  ['a narrow terminal', { screen: screen(60) }, 60, true],
  ['a terminal that is hardly there', { screen: screen(1) }, 20, true],
  ['a terminal that does not tell its width', { screen: screen(0) }, 80, true],
  ['a terminal with NO_COLOR', { screen: screen(80), environment: { NO_COLOR: '1' } }, 80, false],
  ['a terminal with an empty NO_COLOR', { screen: screen(80), environment: { NO_COLOR: '' } }, 80, true],
  ['a terminal without abilities', { screen: screen(80), environment: { TERM: 'dumb' } }, 80, false],
  ['a terminal with --wide', { screen: screen(80), isWide: true }, Infinity, true],
  ['a pipe with --wide', { isWide: true }, Infinity, false],
])('createLook() of %s', (_, options, width, hasColor) => {
  expect(createLook({ screen: undefined, isWide: false, environment: {}, ...options })).toEqual({
    width,
    hasColor,
  });
});
