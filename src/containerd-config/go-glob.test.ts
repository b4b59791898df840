import { expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { BadGlobError, expandGoGlob, folderOfGlob } from './go-glob.ts';

const FILES = [
  'README',
  '10-a.toml',
  '20-b.toml',
  'c.toml',
  '[x].toml',
  'a*b.toml',
  '-.toml',
  'é.toml',
  '.h.toml',
  '1!.toml',
  'ab',
  'cd',
  'x^.toml',
  'sub/config.toml',
  '.hid/config.toml',
];

/** What filepath.Glob of Go 1.26 gives for each of them. */
const CASES: ReadonlyArray<readonly [pattern: string, names: 'bad' | readonly string[]]> = [
  [
    '*.toml',
    [
      '-.toml',
      '.h.toml',
      '1!.toml',
      '10-a.toml',
      '20-b.toml',
      '[x].toml',
      'a*b.toml',
      'c.toml',
      'dangling.toml',
      'x^.toml',
      'é.toml',
    ],
  ],
  ['[0-9]*', ['1!.toml', '10-a.toml', '20-b.toml']],
  ['[0-9]*.toml', ['1!.toml', '10-a.toml', '20-b.toml']],
  [
    '??*',
    [
      '-.toml',
      '.h.toml',
      '.hid',
      '1!.toml',
      '10-a.toml',
      '20-b.toml',
      'README',
      '[x].toml',
      'a*b.toml',
      'ab',
      'c.toml',
      'cd',
      'dangling.toml',
      'link',
      'sub',
      'x^.toml',
      'é.toml',
    ],
  ],
  ['??-*.toml', ['10-a.toml', '20-b.toml']],
  [
    '[^0-9]*.toml',
    ['-.toml', '.h.toml', '[x].toml', 'a*b.toml', 'c.toml', 'dangling.toml', 'x^.toml', 'é.toml'],
  ],
  ['[!0-9]*.toml', ['1!.toml', '10-a.toml', '20-b.toml']],
  ['[a-c]*', ['a*b.toml', 'ab', 'c.toml', 'cd']],
  ['[c-a]*', []],
  ['*[', 'bad'],
  ['*[]', 'bad'],
  ['*[]a]', 'bad'],
  ['[a-]*', 'bad'],
  ['[-a]*', 'bad'],
  ['*\\', 'bad'],
  ['\\[x\\]*', ['[x].toml']],
  ['a\\**', ['a*b.toml']],
  ['\\a*', ['a*b.toml', 'ab']],
  ['*/config.toml', ['.hid/config.toml', 'link/config.toml', 'sub/config.toml']],
  ['*/*.toml', ['.hid/config.toml', 'link/config.toml', 'sub/config.toml']],
  ['?*/config.toml', ['.hid/config.toml', 'link/config.toml', 'sub/config.toml']],
  ['é*', ['é.toml']],
  ['?.toml*', ['-.toml', 'c.toml', 'é.toml']],
  ['[é]*', ['é.toml']],
  ['.*', ['.h.toml', '.hid']],
  ['*.TOML', []],
  ['[[]*', ['[x].toml']],
  ['[\\]x]*', ['x^.toml']],
  ['[x^]*', ['x^.toml']],
  ['[^]*', 'bad'],
  [
    '[^^]*',
    [
      '-.toml',
      '.h.toml',
      '.hid',
      '1!.toml',
      '10-a.toml',
      '20-b.toml',
      'README',
      '[x].toml',
      'a*b.toml',
      'ab',
      'c.toml',
      'cd',
      'dangling.toml',
      'link',
      'sub',
      'x^.toml',
      'é.toml',
    ],
  ],
  ['*\\?', []],
  ['[a-c-e]*', 'bad'],
  ['[\\-]*', ['-.toml']],
  ['sub*/conf\\ig.toml', ['sub/config.toml']],
  ['li*/*', ['link/config.toml']],
  ['*[a', 'bad'],
  ['zz/*', []],
  ['README/*', []],
  ['{a,c}*', []],
  [
    '**',
    [
      '-.toml',
      '.h.toml',
      '.hid',
      '1!.toml',
      '10-a.toml',
      '20-b.toml',
      'README',
      '[x].toml',
      'a*b.toml',
      'ab',
      'c.toml',
      'cd',
      'dangling.toml',
      'link',
      'sub',
      'x^.toml',
      'é.toml',
    ],
  ],
  ['*a*b*', ['a*b.toml', 'ab']],
  ['[1-2][0-9]-*', ['10-a.toml', '20-b.toml']],
  ['dang*', ['dangling.toml']],
  ['[^a-zé]*', ['-.toml', '.h.toml', '.hid', '1!.toml', '10-a.toml', '20-b.toml', 'README', '[x].toml']],
  ['x[\\^]*', ['x^.toml']],
  [
    '*.tom[l]',
    [
      '-.toml',
      '.h.toml',
      '1!.toml',
      '10-a.toml',
      '20-b.toml',
      '[x].toml',
      'a*b.toml',
      'c.toml',
      'dangling.toml',
      'x^.toml',
      'é.toml',
    ],
  ],
];

test.each(CASES)("expandGoGlob() finds what Go's filepath.Glob finds for %p", async (pattern, names) => {
  await using folder = await createHostFolder({
    ...Object.fromEntries(FILES.map((name) => [`/d/${name}`, ''])),
    '/d/link': '-> sub',
    '/d/dangling.toml': '-> nowhere.toml',
  });
  const glob = expandGoGlob(folder.host, `/d/${pattern}`);
  if (names === 'bad') {
    expect(await glob.catch((error: unknown) => error)).toBeInstanceOf(BadGlobError);
    return;
  }
  const { paths } = await glob;
  expect(paths).toEqual(names.map((name) => `/d/${name}`));
});

test.each([
  ['/etc/containerd/conf.d/*.toml', '/etc/containerd/conf.d'],
  ['/etc/*/conf.d/a*.toml', '/etc'],
  ['/*', '/'],
])('folderOfGlob() of %s is %s', (glob, folder) => {
  expect(folderOfGlob(glob)).toBe(folder);
});
