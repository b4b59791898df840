import { expect, test } from 'bun:test';
import { peerPageUrl } from './peer-name.ts';

test.each<[string | undefined, string | undefined]>([
  ['10.0.0.3', 'http://10.0.0.3:9090/debug/web/'],
  ['fd00::3', 'http://[fd00::3]:9090/debug/web/'],
  ['::ffff:10.0.0.3', 'http://[::ffff:10.0.0.3]:9090/debug/web/'],
  [undefined, undefined],
  ['', undefined],
  ['bad.cafe', undefined],
  ['fade.de', undefined],
  ['999.1.1.1', undefined],
  ['10.0.0.3:80', undefined],
  ['fd00::3]:80/x', undefined],
  ['javascript:1', undefined],
])('peerPageUrl() of %p', (address, url) => {
  expect(peerPageUrl(address, 9090)).toBe(url);
});
