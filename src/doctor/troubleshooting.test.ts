import { expect, test } from 'bun:test';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

test('docs/TROUBLESHOOTING.md has every finding with a fix, and no other', async () => {
  const names = (await readdir(import.meta.dir)).filter((name) => /^[\w-]+\.ts$/.test(name));
  const sources = await Promise.all(names.map(async (name) => readFile(join(import.meta.dir, name), 'utf8')));
  const ids = sources.flatMap((text) =>
    Array.from(text.matchAll(/\bid: '([\w-]+)',\s+severity: /g), ([, id]) => id),
  );
  const document = await readFile(join(import.meta.dir, '../../docs/TROUBLESHOOTING.md'), 'utf8');
  const documented = Array.from(document.matchAll(/^\| `([\w-]+)` \| [^|]+ \| [^|]+ \|$/gm), ([, id]) => id);
  expect(new Set(documented)).toEqual(new Set(ids));
});
