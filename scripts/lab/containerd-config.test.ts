import { expect, test } from 'bun:test';
import { formatContainerdConfig, hasParallelRanges } from './containerd-config.ts';

const PATHS = { root: '/r', state: '/s', socket: '/c.sock', certsDir: '/certs' };

test.each([
  ['1.6.20', false],
  ['2.0.5', false],
  ['2.1.0', true],
  ['2.10.0', true],
  ['3.0.0', true],
])('hasParallelRanges() of %s is %p', (version, expected) => {
  expect(hasParallelRanges(version)).toBe(expected);
});

test('formatContainerdConfig() has parallel ranges for the CRI plugin and for the transfer service, if asked for', () => {
  const plugins = (fetchBufferBytes?: number) => {
    const config = Bun.TOML.parse(formatContainerdConfig(2, PATHS, { fetchBufferBytes })) as {
      plugins: Record<string, { concurrent_layer_fetch_buffer?: number }>;
    };
    return ['io.containerd.cri.v1.images', 'io.containerd.transfer.v1.local'].map(
      (name) => config.plugins[name]?.concurrent_layer_fetch_buffer,
    );
  };
  expect(plugins(4096)).toEqual([4096, 4096]);
  expect(plugins()).toEqual([undefined, undefined]);
});
