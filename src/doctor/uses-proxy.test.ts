import { describe, expect, test } from 'bun:test';
import { usesProxy } from './uses-proxy.ts';

const PROXY = 'http://proxy.example:8080';

describe('usesProxy()', () => {
  test.each([
    ['http://10.0.0.7:30020', '', true],
    ['http://127.0.0.1:30020', '', false],
    ['http://localhost:30020', '', false],
    ['http://[::1]:30020', '', false],
    ['http://10.0.0.7:30020', '*', false],
    ['http://10.0.0.7:30020', '10.0.0.7', false],
    ['http://10.0.0.7:30020', '10.0.0.7:30020', false],
    ['http://10.0.0.7:30020', '10.0.0.7:30021', true],
    ['http://10.0.0.7:30020', 'a.example, 10.0.0.0/8', false],
    ['http://10.0.0.7:30020', '10.0.0.8/29', true],
    ['http://10.0.0.7:30020', '10.0.0.0/29', false],
    ['http://10.0.0.7:30020', '0.0.0.0/0', false],
    ['http://10.0.0.7:30020', '10.0.0.7/64', true],
    ['http://10.0.0.7:30020', 'fd00::/8', true],
    ['http://[fd00::7]:30020', 'fd00::/8', false],
    ['http://[fd00::7]:30020', 'FD00:0::7', false],
    ['http://[fd00::7]:30020', '[fd00::7]:30020', false],
    ['http://node.example:30020', 'example', false],
    ['http://node.example:30020', '.example', false],
    ['http://node.example:30020', '*.example', false],
    ['http://example:30020', '.example', true],
    ['http://nodeexample:30020', 'example', true],
    ['http://10.0.0.7:30020', '10.0.*', true],
  ])('of %s without %p is %p', (url, noProxy, expected) => {
    const environment = new Map([
      ['http_proxy', PROXY],
      ['NO_PROXY', noProxy],
    ]);
    expect(usesProxy(url, environment)).toBe(expected ? PROXY : undefined);
  });

  test('takes the proxy of the scheme', () => {
    const environment = new Map([['HTTPS_PROXY', PROXY]]);
    expect(usesProxy('http://10.0.0.7', environment)).toBeUndefined();
    expect(usesProxy('https://10.0.0.7', environment)).toBe(PROXY);
    expect(usesProxy('https://10.0.0.7', new Map())).toBeUndefined();
  });
});
