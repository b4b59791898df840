import { expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { ROOMS_TABLE_FILE, withRoomsTable } from './rooms-table.ts';

test('the rooms in docs/ARCHITECTURE.md are those that the linter keeps apart', async () => {
  const text = await readFile(ROOMS_TABLE_FILE, 'utf8');
  expect(text === withRoomsTable(text), 'run: bun run reference').toBe(true);
});

test('a text without a place for the table is an error', () => {
  expect(() => withRoomsTable('# Architecture')).toThrow('made by bun run reference: rooms');
});
