import { describe, expect, test } from 'bun:test';
import { formatListenAddress, parseListenAddress } from './listen-address.ts';

describe('parseListenAddress()', () => {
  test.each([
    { text: ':5000', host: undefined, port: 5000 },
    { text: ':0', host: undefined, port: 0 },
    { text: '1.2.3.4:5000', host: '1.2.3.4', port: 5000 },
    { text: '[::1]:5000', host: '::1', port: 5000 },
    { text: '[fd00::1]:65535', host: 'fd00::1', port: 65_535 },
  ])('parses $text, and formatListenAddress() writes it back', ({ text, host, port }) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
    expect(formatListenAddress({ host, port })).toBe(text);
  });

  test.each([
    '',
    '5000',
    ':',
    ':65536',
    ':-1',
    ':5e3',
    ': 5000',
    '::1:5000',
    '[::1]',
    '[]:5000',
    '[1.2.3.4]:5000',
    '[nope]:5000',
    '1.2.3:5000',
    '1.2.3.999:5000',
    '[::g]:1',
    'host:5000',
    'http://1.2.3.4:5000',
    ':5000\n',
  ])('throws a TypeError that quotes %j', (text) => {
    expect(() => parseListenAddress(text)).toThrow(TypeError);
    expect(() => parseListenAddress(text)).toThrow(JSON.stringify(text));
  });
});
