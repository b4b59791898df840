import { describe, expect, test } from 'bun:test';
import { createHostFolder } from './testing/host-folder.ts';

describe('createHostRoot()', () => {
  test.each([
    ['a file', '/etc/a', 'A'],
    ['an absolute link', '/etc/absolute', 'A'],
    ['a relative link', '/etc/relative', 'A'],
    ['a link that climbs out of the root', '/etc/out', 'A'],
    ['a folder behind a link', '/link/a', 'A'],
    ['nothing', '/etc/none', undefined],
    ['a file in place of a folder', '/etc/a/b', undefined],
  ])('reads %s below the root', async (_what, path, text) => {
    await using folder = await createHostFolder({
      '/etc/a': 'A',
      '/etc/absolute': '-> /etc/a',
      '/etc/relative': '-> ../etc/a',
      '/etc/out': '-> ../../../../../../etc/a',
      '/link': '-> /etc',
    });
    expect(await folder.host.readText(path)).toBe(text);
  });

  test('locate() rejects for links in a circle', async () => {
    await using folder = await createHostFolder({ '/a': '-> /b', '/b': '-> /a' });
    expect(folder.host.readText('/a')).rejects.toThrow('Too many links');
  });
});
