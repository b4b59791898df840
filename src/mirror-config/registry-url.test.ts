import { describe, expect, test } from 'bun:test';
import { formatRegistryUrl, InvalidRegistryUrlError, parseRegistryUrl } from './registry-url.ts';

describe('parseRegistryUrl()', () => {
  test.each([
    ['https://docker.io', 'https://docker.io'],
    ['https://docker.io/', 'https://docker.io'],
    ['HTTP://registry.lab:5000', 'http://registry.lab:5000'],
    ['https://registry.lab:443', 'https://registry.lab:443'],
    ['http://10.0.0.1:30020', 'http://10.0.0.1:30020'],
    ['http://localhost', 'http://localhost'],
    ['http://registry_mirror:5000', 'http://registry_mirror:5000'],
    ['http://_mirror-.lab_net', 'http://_mirror-.lab_net'],
    ['http://mirror.svc.cluster.local.:5000', 'http://mirror.svc.cluster.local.:5000'],
    ['http://[fd00::1]:30020', 'http://[fd00::1]:30020'],
    ['http://[fd00::1]', 'http://[fd00::1]'],
    ['http://fd00::1:30020', 'http://[fd00::1]:30020'],
    ['http://::1:30020', 'http://[::1]:30020'],
    ['http://fd00:0:0:0:0:0:0:1:30020', 'http://[fd00:0:0:0:0:0:0:1]:30020'],
    ['http://fd00:0:0:0:0:0:0:1', 'http://[fd00:0:0:0:0:0:0:1]'],
  ])('parseRegistryUrl() reads %p', (text, written) => {
    expect(formatRegistryUrl(parseRegistryUrl(text))).toBe(written);
  });

  test.each([
    'docker.io',
    'ftp://docker.io',
    'https://',
    'https://docker.io/v2',
    'https://docker.io?a=b',
    'https://docker.io#a',
    'https://user:pass@docker.io',
    'http://a,http://b',
    'http://a b',
    'http://registry.lab:0',
    'http://registry.lab:65536',
    'http://registry.lab:',
    'http://[fd00::1',
    'http://fd00:zz::1:5000',
    "http://a'b",
    'http://a..b',
    'http://.a',
    'http://a_b:123456',
    'http://[a_b]:5000',
    'http://a%5fb',
    'http://ä.lab',
    'http://../x',
  ])('parseRegistryUrl() throws when the URL is %p', (text) => {
    expect(() => parseRegistryUrl(text)).toThrow(InvalidRegistryUrlError);
  });
});
