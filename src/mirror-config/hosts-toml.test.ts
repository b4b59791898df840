import { describe, expect, test } from 'bun:test';
import { parse } from 'smol-toml';
import { formatHostsToml, type HostsToml, InvalidHostsTomlError, parseHostsToml } from './hosts-toml.ts';

const bare: HostsToml = {
  server: undefined,
  settings: {},
  hosts: [{ url: 'http://10.0.0.1:30020', settings: {}, form: 'header' }],
};

describe('formatHostsToml()', () => {
  test('formatHostsToml() writes texts that need escapes so that a parser reads them back', () => {
    const ca = ["it's.crt", 'two\nlines.crt', 'back\\slash.crt', 'q"uote\'.crt'];
    expect(parse(formatHostsToml({ ...bare, settings: { ca } }))['ca']).toEqual(ca);
  });

  test('formatHostsToml() starts with a host when there is nothing to say about the server', () => {
    expect(formatHostsToml(bare)).toBe("[host.'http://10.0.0.1:30020']\n");
  });

  test.each([
    "server = 'https://a.example'\nskip_verify = true\n",
    "[header]\nx-a = ['1', '2']\n'x b' = '3'\n\n[host.'https://a.example']\nca = 'a'\n",
    'level = 1\nratio = 1.0\nbig = 9007199254740993\nat = 2024-01-02T03:04:05.000Z\nday = 2024-01-02 \ndays = [2024-01-02 ]\n',
    "table = { a = { b = [1, 2] }, 'c d' = 'e' }\n",
    "[host.'https://b']\n\n[host.'https://a']\n\n[host.'https://a'.header]\nx = 'y'\n",
    "[host.'https://a']\nheader = {  }\n",
    '',
  ])('formatHostsToml() writes what parseHostsToml() read: %p', (text) => {
    expect(formatHostsToml(parseHostsToml(text))).toBe(text);
  });
});

describe('parseHostsToml()', () => {
  test.each([
    [
      '[host."https://b".header]\nx="1"\n[host."https://a"]\n[host."https://b"]\n',
      ['https://b', 'https://a'],
    ],
    ['host = { "https://b" = {}, "https://a" = {} }', ['https://b', 'https://a']],
    ['[host]\n"https://b" = {}\n[host."https://a"]', ['https://b', 'https://a']],
  ])('parseHostsToml() keeps the order of the hosts in %p', (text, order) => {
    expect(parseHostsToml(text).hosts.map(({ url }) => url)).toEqual(order);
  });

  test.each([
    ['a = 1\na = 2\n', 'line 2'],
    ['<html>', 'line 1, column 1'],
    ['[host."https://a"]\n\n[host."https://a"]\n', 'line 3'],
    ['server = ["https://a"]', 'server is no text'],
  ])('parseHostsToml() throws with the line when the text is %p', (text, message) => {
    expect(() => parseHostsToml(text)).toThrow(InvalidHostsTomlError);
    expect(() => parseHostsToml(text)).toThrow(message);
  });
});
