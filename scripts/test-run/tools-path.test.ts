import { expect, test } from 'bun:test';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../chart/render-chart.ts';
import { runCommand } from '../lab/run-command.ts';

const pathAfter = async (PATH: string) =>
  runCommand(['bash', '-c', 'source "$0" && printf %s "$PATH"', join(REPOSITORY, 'scripts/tools-path')], {
    env: { PATH },
  });

test('scripts/tools-path adds the folders of commands for root, which su leaves out, once', async () => {
  const first = await pathAfter('/usr/local/bin:/usr/bin:/bin');
  expect(first).toEndWith('/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin');
  const second = await pathAfter(first);
  expect(second.split(':').filter((folder) => folder === '/usr/sbin')).toHaveLength(1);
});

test('scripts/tools-path adds none of them to a PATH with commands of its own', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'spegel-tools-path-'));
  stack.defer(() => rm(folder, { recursive: true }));
  for (const name of ['bash', 'sed', 'dirname']) await symlink(`/usr/bin/${name}`, join(folder, name));
  expect(await pathAfter(folder)).toEndWith(folder);
});
