import { describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { MEMORY_TABLE_FILE, withMemoryTable } from './memory-table.ts';

describe('the memory table of docs/SECURITY.md', () => {
  test('is what bun run reference writes', async () => {
    const text = await readFile(MEMORY_TABLE_FILE, 'utf8');
    expect(text, 'run bun run reference').toBe(withMemoryTable(text));
  });

  test('has a sum below each limit', async () => {
    const text = await readFile(MEMORY_TABLE_FILE, 'utf8');
    const cells = (start: string) =>
      Array.from(
        text
          .split('\n')
          .find((line) => line.startsWith(start))
          ?.matchAll(/(?<=limit |\| )[\d.]+/g) ?? [],
        Number,
      );
    const limits = cells('| what, in MiB');
    expect(limits).toHaveLength(3);
    cells('| sum').forEach((sum, index) => expect(sum).toBeLessThan(0.97 * (limits[index] ?? 0)));
  });

  test('withMemoryTable() throws where there is no place for it', () => {
    expect(() => withMemoryTable('# nothing')).toThrow('made by bun run reference');
  });
});
