import { describe, expect, test } from 'bun:test';
import { MAX_HEADER_COUNT } from '../limits.ts';
import { parseRequestHead } from './request-head.ts';

const head = (...lines: readonly string[]) => parseRequestHead(lines.join('\r\n'));

describe('parseRequestHead()', () => {
  test('parseRequestHead() gives method, target and headers as sent', () => {
    expect(head('GET /v2/?ns=a%3A1 HTTP/1.1', 'Host: x', 'A:\tb c \t', 'a: d')).toEqual({
      method: 'GET',
      target: '/v2/?ns=a%3A1',
      headers: [
        ['Host', 'x'],
        ['A', 'b c'],
        ['a', 'd'],
      ],
      keepAlive: true,
      hasBody: false,
      bodyBytes: 0,
    });
  });

  test('parseRequestHead() judges headers that it has seen before as it did before, by each request line', () => {
    const lines = ['Seen: before', 'Connection: keep-alive'];
    const withHost = ['Seen: before', 'Host: x'];
    for (const line of ['GET /a HTTP/1.1', 'GET /b HTTP/1.1']) {
      expect(head(line, ...lines)).toMatchObject({ status: 400 });
      expect(head(line, ...withHost)).toMatchObject({ target: line.slice(4, 6), keepAlive: true });
      expect(head(line, 'Host: x', 'A : b')).toMatchObject({ status: 400 });
      expect(head(line.replace('1.1', '1.0'), ...lines)).toMatchObject({ keepAlive: true });
      expect(head(line.replace('1.1', '1.0'), ...withHost)).toMatchObject({ keepAlive: false });
    }
  });

  test('parseRequestHead() gives the headers of each of many heads, short and long', () => {
    for (let n = 0; n < 300; n++) {
      const value = 'x'.repeat(n % 2 === 0 ? n : 10 * n);
      const parsed = head('GET / HTTP/1.1', 'Host: x', `Value: ${n}${value}`, `Range: bytes=${n}-`);
      expect(parsed).toMatchObject({
        headers: [
          ['Host', 'x'],
          ['Value', `${n}${value}`],
          ['Range', `bytes=${n}-`],
        ],
      });
      expect(head('GET / HTTP/1.1', 'Host: x', `Value: ${n % 70}`)).toMatchObject({
        headers: [
          ['Host', 'x'],
          ['Value', `${n % 70}`],
        ],
      });
    }
  });

  test.each<[lines: string[], keepAlive: boolean, bodyBytes: number | undefined]>([
    [['GET / HTTP/1.1', 'Host: x', 'Connection: keep-alive, close'], false, 0],
    [['GET / HTTP/1.1', 'Host: x', 'Connection: upgrade', 'Connection: CLOSE'], false, 0],
    [['GET / HTTP/1.1', 'Host:'], true, 0],
    [['GET / HTTP/1.0'], false, 0],
    [['GET / HTTP/1.0', 'Connection: Keep-Alive'], true, 0],
    [['POST / HTTP/1.1', 'Host: x', 'Content-Length: 0'], true, 0],
    [['POST / HTTP/1.1', 'Host: x', 'Content-Length: 7'], true, 7],
    [['POST / HTTP/1.1', 'Host: x', 'Transfer-Encoding: Chunked'], true, undefined],
  ])('parseRequestHead() of %p: keep-alive %p, body %p', (lines, keepAlive, bodyBytes) => {
    expect(head(...lines)).toMatchObject({ keepAlive, hasBody: bodyBytes !== 0, bodyBytes });
  });

  test.each<[what: string, lines: string[], status: number]>([
    ['nothing', [''], 400],
    ['no target', ['GET  HTTP/1.1', 'Host: x'], 400],
    ['a space in the target', ['GET /a b HTTP/1.1', 'Host: x'], 400],
    ['HTTP/0.9', ['GET /'], 400],
    ['HTTP/2', ['PRI * HTTP/2.0'], 400],
    ['HTTP/3', ['GET / HTTP/3.0', 'Host: x'], 505],
    ['no Host', ['GET / HTTP/1.1'], 400],
    ['two Hosts', ['GET / HTTP/1.1', 'Host: x', 'host: x'], 400],
    ['a space before the colon', ['GET / HTTP/1.1', 'Host: x', 'A : b'], 400],
    ['a folded line', ['GET / HTTP/1.1', 'Host: x', 'A: b', ' c'], 400],
    ['a line without a colon', ['GET / HTTP/1.1', 'Host: x', 'A'], 400],
    ['a lone CR', ['GET / HTTP/1.1', 'Host: x', 'A: b\rc'], 400],
    ['a NUL', ['GET / HTTP/1.1', 'Host: x', 'A: \0'], 400],
    ['two lengths', ['GET / HTTP/1.1', 'Host: x', 'Content-Length: 1', 'Content-Length: 1'], 400],
    ['a signed length', ['GET / HTTP/1.1', 'Host: x', 'Content-Length: +1'], 400],
    ['a length beyond 2^53', ['GET / HTTP/1.1', 'Host: x', 'Content-Length: 99999999999999999'], 400],
    [
      'a length and chunks',
      ['GET / HTTP/1.1', 'Host: x', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
      400,
    ],
    ['another coding', ['GET / HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip, chunked'], 400],
    [
      'chunks twice',
      ['GET / HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      400,
    ],
    ['many headers', ['GET / HTTP/1.1', 'Host: x', ...Array<string>(MAX_HEADER_COUNT).fill('A: b')], 431],
  ])('parseRequestHead() refuses %s', (_what, lines, status) => {
    expect(head(...lines)).toMatchObject({ status });
  });

  test('parseRequestHead() takes a line of spaces in time that grows with its length only', () => {
    const spaces = ' '.repeat(16_000);
    const result = head('GET / HTTP/1.1', 'Host: x', `A: ${spaces}b${spaces}`);
    expect(result).toMatchObject({
      headers: [
        ['Host', 'x'],
        ['A', 'b'],
      ],
    });
  });
});
