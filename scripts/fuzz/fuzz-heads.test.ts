import { describe, expect, test } from 'bun:test';
import { fuzzHeads } from './fuzz-heads.ts';
import { findAmbiguity } from './mutate-head.ts';

describe('fuzzHeads()', () => {
  test.each([1, 2])('finds nothing in the inputs of seed %d', async (seed) => {
    const { faults, acceptedRequests, acceptedAnswers } = await fuzzHeads({ inputs: 10_000, seed });
    expect(faults).toEqual([]);
    // It is not all refused.
    expect(acceptedRequests).toBeGreaterThan(1000);
    expect(acceptedAnswers).toBeGreaterThan(1000);
  });
});

describe('findAmbiguity()', () => {
  test.each([
    ['A: b\rc', 'a bare CR or LF, or NUL'],
    ['A: b\nc: d', 'a bare CR or LF, or NUL'],
    ['A: \0', 'a bare CR or LF, or NUL'],
    ['A: b\r\n c', 'a line without a name'],
    ['A: b\r\n c: d', 'a space in or around a name'],
    ['A : b', 'a space in or around a name'],
    ['A', 'a line without a name'],
    ['Content-Length: 5\r\ncontent-length: 5', 'two lengths'],
    ['Content-Length: 5, 5', 'a length that is not a number'],
    ['Content-Length: +5', 'a length that is not a number'],
    ['Content-Length: 5\r\nTransfer-Encoding: chunked', 'a length beside a transfer coding'],
    ['A: b\r\nContent-Length: \t5 ', undefined],
  ])('findAmbiguity() in %j', (lines, ambiguity) => {
    expect(findAmbiguity(`GET / HTTP/1.1\r\nHost: x\r\n${lines}`)).toBe(ambiguity as string);
  });
});
