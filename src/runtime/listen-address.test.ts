import { describe, expect, test } from 'bun:test';
import { formatListenAddress, InvalidAddressError, parseListenAddress } from './listen-address.ts';

describe('parseListenAddress()', () => {
  test.each([
    [':5000', undefined, 5000],
    ['1.2.3.4:5000', '1.2.3.4', 5000],
    ['localhost:0', 'localhost', 0],
    ['[::1]:5000', '::1', 5000],
    ['[fe80::1%eth0]:5000', 'fe80::1%eth0', 5000],
  ])('parseListenAddress() reads %p and formatListenAddress() writes it', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
    expect(formatListenAddress({ host, port })).toBe(text);
  });

  test.each(['', '5000', '::1:5000', ':65536', ':-1', 'a b:1', 'http://a:1', '[::1]', '[]:1', '1.2.3.4'])(
    'parseListenAddress() throws when the text is %p',
    (text) => {
      expect(() => parseListenAddress(text)).toThrow(InvalidAddressError);
    },
  );
});
