import { expect, test } from 'bun:test';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { REPOSITORY } from '../chart/render-chart.ts';
import { roomOverrides } from './room-rules.ts';
import { OWNERS, ROOMS } from './rooms.ts';

const names = Object.keys(ROOMS);

test('the table has each folder of src, and nothing else', async () => {
  const entries = await readdir(join(REPOSITORY, 'src'), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(folders.toSorted()).toEqual(names.toSorted());
});

test('a room imports rooms below it only, so that there is no circle', () => {
  const wrong = names.flatMap((room, row) =>
    (ROOMS[room]?.mayImport ?? [])
      .filter((each) => !names.slice(0, row).includes(each))
      .map((each) => `${room} -> ${each}`),
  );
  expect(wrong).toEqual([]);
});

test('the linter refuses each import that the table does not have, and no other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rooms-'));
  try {
    const write = async (path: string, text: string) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    };
    await write(
      '.oxlintrc.json',
      JSON.stringify({ plugins: [], categories: { correctness: 'off' }, overrides: roomOverrides() }),
    );
    const forbidden: string[] = [];
    for (const room of names) {
      const allowed = new Set([room, ...(ROOMS[room]?.mayImport ?? [])]);
      for (const other of names) {
        for (const path of [`src/${room}/to-${other}.ts`, `src/${room}/inner/deep/to-${other}.ts`]) {
          const up = '../'.repeat(path.split('/').length - 2);
          await write(path, `import { a } from '${up}${other}/a.ts';\na();\n`);
          if (!allowed.has(other)) forbidden.push(path);
        }
      }
      for (const [n, { pattern, rooms }] of OWNERS.entries()) {
        const specifier = SPECIMENS.find((each) => new RegExp(pattern).test(each));
        const path = `src/${room}/package-${n}.ts`;
        await write(path, `import { a } from '${specifier}';\na();\n`);
        if (!rooms.includes(room)) forbidden.push(path);
      }
      const path = `src/${room}/to-the-command-line.ts`;
      await write(path, "import { a } from '../cli.ts';\na();\n");
      forbidden.push(path);
    }
    const report = join(folder, 'report.json');
    const oxlint = join(REPOSITORY, 'node_modules/oxlint/bin/oxlint');
    // Into a file: what has not left through a pipe when the linter exits is lost. Bun runs it where there is no Node.
    Bun.spawnSync([process.execPath, oxlint, '-f', 'json', 'src'], { cwd: folder, stdout: Bun.file(report) });
    const { diagnostics } = (await Bun.file(report).json()) as { diagnostics: { filename: string }[] };
    const refused = new Set(diagnostics.map(({ filename }) => filename));
    expect([...refused].toSorted()).toEqual(forbidden.toSorted());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** An import for each row of OWNERS. The first that matches is used, so what only a later row matches comes last. */
const SPECIMENS = [
  're2js',
  '@grpc/grpc-js',
  'smol-toml',
  '@multiformats/multiaddr',
  '@chainsafe/libp2p-noise',
  'hono',
  'commander',
  'prom-client',
  'node:net',
];
