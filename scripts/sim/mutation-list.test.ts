import { expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';

import { MUTATIONS } from './mutation-list.ts';

test.each(MUTATIONS)('there is one place in $file for: $name', async ({ file, find, replace }) => {
  const text = await readFile(new URL(`../../src/dht/${file}`, import.meta.url), 'utf8');
  expect(text.split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
});
