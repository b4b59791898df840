import { describe, expect, test } from 'bun:test';

import { MAX_HEAD_BYTES } from '../limits.ts';
import { createRequestReader } from './request-reader.ts';

const HEAD = 'GET /a HTTP/1.1\r\nHost: node\r\n\r\n';

/** What is read of the text when it comes in parts of so many bytes: targets, statuses of refusals, and what is left. */
function read(text: string, partBytes = text.length) {
  const reader = createRequestReader();
  const seen: (string | number)[] = [];
  for (let at = 0; at < text.length; at += partBytes) {
    reader.add(Buffer.from(text.slice(at, at + partBytes), 'latin1'));
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      seen.push('target' in next ? next.target : next.status);
      if ('status' in next) return { seen, heldBytes: reader.heldBytes };
    }
  }
  return { seen, heldBytes: reader.heldBytes };
}

describe('createRequestReader()', () => {
  test.each([1, 2, 7, 1000])(
    'reads heads that come in parts of %d bytes, behind empty lines',
    (partBytes) => {
      expect(read(`\r\n${HEAD}\r\n\r\n${HEAD}`, partBytes)).toEqual({ seen: ['/a', '/a'], heldBytes: 0 });
    },
  );

  test('keeps what is not whole', () => {
    expect(read(`${HEAD}GET /b`)).toEqual({ seen: ['/a'], heldBytes: 6 });
  });

  test.each([
    ['TLS', '\u0016\u0003\u0001', 400],
    ['a bare line feed', 'GET / HTTP/1.1\n', 400],
    ['a NUL', 'GET /\0', 400],
    ['a CR without its LF', '\rGET', 400],
    ['a head that is too long', `GET /${'a'.repeat(MAX_HEAD_BYTES)}`, 431],
    ['a head that is too long, one byte at a time', `GET /${'a'.repeat(MAX_HEAD_BYTES - 5)}`, 431],
    ['a malformed head', 'GET\r\n\r\n', 400],
  ])('refuses %s', (_name, text, status) => {
    expect(read(text).seen).toEqual([status]);
    expect(read(text, 1).seen).toEqual([status]);
  });
});
