import { expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';

import { FLIGHT_MUTATIONS } from './flights/flight-mutation-list.ts';
import { MUTATIONS } from './mutation-list.ts';
import { TRANSFER_MUTATIONS } from './transfers/transfer-mutation-list.ts';

const ALL = [
  ...MUTATIONS.map(({ file, ...rest }) => Object.assign(rest, { path: `src/dht/${file}` })),
  ...[...FLIGHT_MUTATIONS, ...TRANSFER_MUTATIONS].map(({ file, ...rest }) =>
    Object.assign(rest, { path: `src/${file}` }),
  ),
];

test.each(ALL)('there is one place in $path for: $name', async ({ path, find, replace }) => {
  const text = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
  expect(text.split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
});
