import { describe, expect, test } from 'bun:test';
import { MAX_HEADER_COUNT } from './limits.ts';
import { parsePeerResponseHead } from './peer-response-head.ts';

const OK = 'HTTP/1.1 200 OK';
const parse = (...lines: readonly string[]) => parsePeerResponseHead(lines.join('\r\n'));

describe('parsePeerResponseHead()', () => {
  test('takes status, headers and length', () => {
    const head = parse('HTTP/1.1 206 Partial Content', 'content-LENGTH:12', 'X-A: 1 ', 'x-a:\t2', 'X-Empty:');
    expect(head).toMatchObject({ status: 206, contentLength: 12, keepAlive: true });
    expect(Object.fromEntries(head?.headers ?? [])).toEqual({
      'content-length': '12',
      'x-a': '1, 2',
      'x-empty': '',
    });
  });

  test.each([
    { what: 'no reason', lines: ['HTTP/1.1 200'], length: undefined },
    { what: 'an empty reason', lines: ['HTTP/1.1 200 '], length: undefined },
    { what: 'the largest length', lines: [OK, 'Content-Length: 9007199254740991'], length: 2 ** 53 - 1 },
    { what: 'leading zeros', lines: [OK, 'Content-Length: 007'], length: 7 },
    { what: '204 with a length', lines: ['HTTP/1.1 204 x', 'Content-Length: 7'], length: 0 },
    { what: '304 with a length', lines: ['HTTP/1.1 304 x', 'Content-Length: 7'], length: 0 },
    { what: 'identity', lines: [OK, 'Content-Length: 7', 'Content-Encoding: Identity'], length: 7 },
    {
      what: 'a content coding',
      lines: [OK, 'Content-Length: 7', 'Content-Encoding: gzip'],
      length: undefined,
    },
    {
      what: 'two codings',
      lines: [OK, 'Content-Encoding: identity', 'Content-Encoding: br', 'Content-Length: 7'],
      length: undefined,
    },
    { what: 'chunks', lines: [OK, 'Transfer-Encoding: chunked'], length: undefined },
  ])('tells the length of a body: $what', ({ lines, length }) => {
    const head = parse(...lines);
    expect(head).toBeDefined();
    expect(head?.contentLength).toBe(length as number);
  });

  test.each([
    { lines: [OK], keepAlive: true },
    { lines: [OK, 'Connection: keep-alive'], keepAlive: true },
    { lines: [OK, 'Connection: Close'], keepAlive: false },
    { lines: [OK, 'Connection: x , close'], keepAlive: false },
    { lines: [OK, 'Connection: x', 'Connection: close'], keepAlive: false },
    { lines: [OK, 'Transfer-Encoding: chunked'], keepAlive: false },
  ])('tells whether the connection is kept: $lines', ({ lines, keepAlive }) => {
    expect(parse(...lines)?.keepAlive).toBe(keepAlive);
  });

  test.each([
    { what: 'nothing', lines: [''] },
    { what: 'HTTP/1.0', lines: ['HTTP/1.0 200 OK'] },
    { what: 'HTTP/2', lines: ['HTTP/2 200'] },
    { what: 'lower case', lines: ['http/1.1 200 OK'] },
    { what: 'status 100', lines: ['HTTP/1.1 100 Continue'] },
    { what: 'status 101', lines: ['HTTP/1.1 101 Switching'] },
    { what: 'status 099', lines: ['HTTP/1.1 099 x'] },
    { what: 'status 600', lines: ['HTTP/1.1 600 x'] },
    { what: 'status 2000', lines: ['HTTP/1.1 2000 x'] },
    { what: 'two spaces', lines: ['HTTP/1.1  200 OK'] },
    { what: 'a control character in the reason', lines: ['HTTP/1.1 200 O\u0000K'] },
    { what: 'an empty line', lines: [OK, '', 'X: y'] },
    { what: 'no colon', lines: [OK, 'X'] },
    { what: 'no name', lines: [OK, ': y'] },
    { what: 'a space before the colon', lines: [OK, 'X : y'] },
    { what: 'a folded line', lines: [OK, 'X: y', ' z'] },
    { what: 'a lone LF', lines: [OK, 'X: y\nContent-Length: 5'] },
    { what: 'a lone CR', lines: [OK, 'X: y\rZ: 5'] },
    { what: 'a NUL', lines: [OK, 'X: \u0000'] },
    { what: 'too many headers', lines: [OK, ...Array.from({ length: MAX_HEADER_COUNT + 1 }, () => 'X: y')] },
    { what: 'two lengths', lines: [OK, 'Content-Length: 1', 'Content-Length: 2'] },
    { what: 'the same length twice', lines: [OK, 'Content-Length: 1', 'Content-Length: 1'] },
    { what: 'a list of lengths', lines: [OK, 'Content-Length: 1, 1'] },
    { what: 'an empty length', lines: [OK, 'Content-Length:'] },
    { what: 'a sign', lines: [OK, 'Content-Length: +1'] },
    { what: 'a negative length', lines: [OK, 'Content-Length: -1'] },
    { what: 'a fraction', lines: [OK, 'Content-Length: 1.0'] },
    { what: 'hexadecimal', lines: [OK, 'Content-Length: 0x10'] },
    { what: 'an exponent', lines: [OK, 'Content-Length: 1e3'] },
    { what: 'digits of another script', lines: [OK, 'Content-Length: \u00b2'] },
    { what: 'a length beyond safe integers', lines: [OK, 'Content-Length: 9007199254740992'] },
    { what: 'a length and chunks', lines: [OK, 'Content-Length: 1', 'Transfer-Encoding: chunked'] },
  ])('refuses $what', ({ lines }) => {
    expect(parse(...lines)).toBeUndefined();
  });
});
