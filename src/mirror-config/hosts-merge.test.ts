import { expect, test } from 'bun:test';
import { mergeHosts } from './hosts-merge.ts';
import { parseHostsToml } from './hosts-toml.ts';

test.each([
  ['http://127.0.0.1:30020/v2', {}],
  ['http://127.0.0.1:30020/v2/', {}],
  ['http://127.0.0.1:30020/v2', { override_path: true }],
  ['http://127.0.0.1:30020', { override_path: true }],
])('mergeHosts() asks the mirror once, below /v2, where it was %s with %j', (url, settings) => {
  const mirror = {
    url: 'http://127.0.0.1:30020',
    settings: { capabilities: ['pull'] },
    form: 'header' as const,
  };
  const other = { url: 'https://cache.example', settings: {}, form: 'header' as const };
  const { hosts } = mergeHosts({
    registry: 'reg.example',
    existing: { ...parseHostsToml('[host]'), hosts: [{ url, settings, form: 'header' }, other] },
    certificates: { ca: [], client: [] },
    server: undefined,
    mirrors: [mirror],
    keepHosts: true,
    movedFrom: undefined,
  });
  expect(hosts).toEqual([mirror, other]);
});
