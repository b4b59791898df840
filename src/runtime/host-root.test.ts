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

  test('readText() does not wait for the writer of a FIFO', async () => {
    await using folder = await createHostFolder({ '/etc/a': '' });
    const { host } = folder;
    await runMkfifo(`${host.folder}/etc/fifo`);
    expect(await host.readText('/etc/fifo').catch(String)).toBe('Error: /etc/fifo is not a regular file');
    expect(await host.readText('/etc').catch(String)).toBe('Error: /etc is not a regular file');
  });

  test('readText() keeps a byte order mark', async () => {
    await using folder = await createHostFolder({ '/a': '\u{feff}a' });
    expect(await folder.host.readText('/a')).toBe('\u{feff}a');
  });

  test('locate() rejects for links in a circle', async () => {
    await using folder = await createHostFolder({ '/a': '-> /b', '/b': '-> /a' });
    expect(folder.host.readText('/a')).rejects.toThrow('Too many links');
  });
});

async function runMkfifo(path: string): Promise<void> {
  expect(await Bun.spawn(['mkfifo', path]).exited).toBe(0);
}
