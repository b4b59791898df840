import { describe, expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { viewHost } from './host-view.ts';

describe('viewHost()', () => {
  test.each<[string, Readonly<Record<string, string>>, string, boolean]>([
    ['a file of a mounted folder', { '/etc/containerd/x': '' }, '/etc/containerd/config.toml', true],
    ['a file of another folder', { '/etc/containerd/x': '' }, '/etc/k0s/containerd.toml', false],
    [
      'a link out of the mounted folder',
      { '/etc/containerd/certs.d': '-> /srv/certs' },
      '/etc/containerd/certs.d',
      false,
    ],
    [
      'a link to another mounted folder',
      { '/etc/containerd/certs.d': '-> /srv/certs', '/srv/certs/x': '' },
      '/etc/containerd/certs.d',
      true,
    ],
    ['anything on a whole host', { '/etc/os-release': 'ID=debian' }, '/etc/k0s/containerd.toml', true],
  ])('tells of %s', async (_what, files, path, seen) => {
    await using folder = await createHostFolder(files);
    expect(await (await viewHost(folder.host)).sees(path)).toBe(seen);
  });
});
