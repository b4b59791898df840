import { expect, test } from 'bun:test';
import { createBytesSource } from './bytes-source.ts';
import { readWholeBody } from './read-small-body.ts';

test('readWholeBody() reads what is there without its signal', async () => {
  const bytes = new TextEncoder().encode('a config');
  const limits = {
    maxBytes: bytes.length,
    get signal(): AbortSignal {
      throw new Error('The signal was read');
    },
  };
  expect(await readWholeBody(createBytesSource(bytes), limits)).toEqual(bytes);
});
