import { describe, expect, test } from 'bun:test';
import { parse } from 'smol-toml';
import { formatHostsToml, isSameHostsToml, readServer } from './hosts-toml.ts';

const host = (url: string) => ({
  url,
  capabilities: ['pull', 'resolve'],
  dialTimeout: '200ms',
  authorization: undefined,
});
const bare = { server: undefined, ca: [], client: [], hosts: [host('http://10.0.0.1:30020')] };

describe('formatHostsToml()', () => {
  test('formatHostsToml() writes file names that need escapes so that a parser reads them back', () => {
    const ca = ["it's.crt", 'two\nlines.crt', 'back\\slash.crt', 'q"uote\'.crt'];
    expect(parse(formatHostsToml({ ...bare, ca }))['ca']).toEqual(ca);
  });

  test('formatHostsToml() starts with a host when there is nothing to say about the server', () => {
    expect(formatHostsToml(bare)).toStartWith("[host.'http://10.0.0.1:30020']\n");
  });
});

describe('readServer()', () => {
  test.each([
    [bare, undefined],
    [{ ...bare, server: 'http://registry.lab' }, 'http://registry.lab'],
  ])('readServer() reads what formatHostsToml() wrote', (content, server) => {
    expect(readServer(formatHostsToml(content))).toBe(server as string);
  });
});

describe('isSameHostsToml()', () => {
  const two = formatHostsToml({ ...bare, server: 'https://a', hosts: [host('http://1'), host('http://2')] });

  test.each([
    ['comments, quotes and spaces differ', `# mine\n${two.replaceAll("'", '"').replaceAll(' = ', '=')}`],
    [
      'keys stand in another order',
      two.replaceAll(
        /(capabilities.*)\n(dial.*)\n/g,
        (_all, one: string, other: string) => `${other}\n${one}\n`,
      ),
    ],
  ])('isSameHostsToml() is true when %s', (_what, other) => {
    expect(other).not.toBe(two);
    expect(isSameHostsToml(two, other)).toBe(true);
  });

  test.each([
    [
      'the hosts are asked in another order',
      formatHostsToml({ ...bare, server: 'https://a', hosts: [host('http://2'), host('http://1')] }),
    ],
    ['there is another server', two.replace('https://a', 'https://b')],
    ['a setting is added', two.replace('dial_timeout', 'skip_verify = true\ndial_timeout')],
    ['a list has another order', two.replace("'pull', 'resolve'", "'resolve', 'pull'")],
    ['it is no TOML', 'server ='],
    ['it is empty', ''],
  ])('isSameHostsToml() is false when %s', (_what, other) => {
    expect(isSameHostsToml(two, other)).toBe(false);
  });
});
