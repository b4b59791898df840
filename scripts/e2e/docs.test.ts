import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findHelm, NO_HELM } from '../chart/find-helm.ts';
import { REPOSITORY } from '../chart/render-chart.ts';
import { type DocBlock, readBlocks } from '../docs/doc-blocks.ts';
import { SANDBOX } from '../docs/sandbox.ts';
import { BINARY } from '../lab/binary.ts';
import { writeNodeCommands } from '../lab/node-commands.ts';
import { tryCommand } from '../lab/run-command.ts';
import { createImage } from '../lab/test-image.ts';
import { useLab } from './test-lab.ts';

const blocks = await readBlocks();
const helm = findHelm();
if (helm === undefined) console.log(`skipped: the commands of helm in the documents: ${NO_HELM}`);

/** A command that hangs, such as one that waits for a node, has to end the test. */
const BLOCK_TIMEOUT_MS = 120_000;
/** helm without a cluster: what installs and upgrades only renders, by the same chart, values and flags. */
const HELM_RENDERS = `helm() {
  case $1 in
    install | upgrade) shift; command helm template "\${@/--reset-then-reuse-values/--skip-tests}" ;;
    *) command helm "$@" ;;
  esac
}
`;

/** Has `spegel`, and what scripts/lab-up.ts puts into dist/lab. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-docs-'));
  // The binary may have another name.
  await symlink(BINARY, join(folder, 'spegel'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** Runs a block as a person would paste it, but that the first command that fails ends it. */
async function run({ file, line, text }: DocBlock, prefix: readonly string[], before = '', cwd = REPOSITORY) {
  const path = [folder, ...(helm === undefined ? [] : [dirname(helm)]), process.env['PATH'] ?? ''].join(':');
  const result = await tryCommand([...prefix, 'bash', '-c', `set -euo pipefail\n${before}${text}`], {
    cwd,
    env: { PATH: path },
    timeoutMs: BLOCK_TIMEOUT_MS,
  });
  if (result.exitCode !== 0) {
    throw new Error(`${file}:${line} ended with ${result.exitCode}\n${result.stdout}${result.stderr}`);
  }
  return result;
}

const of = (runner: DocBlock['runner']) => {
  const found = blocks.filter((block) => block.runner === runner);
  // No test at all would be a success.
  if (found.length === 0) throw new Error(`No block of the documents is marked with "run: ${runner}"`);
  return found.map((block) => [`${block.file}:${block.line}`, block] as const);
};

describe('commands of the documents', () => {
  test.each(of('sandbox'))(
    'on a machine: %s',
    async (_where, block) => void (await run(block, SANDBOX)),
    BLOCK_TIMEOUT_MS,
  );

  test.skipIf(helm === undefined).each(of('render'))(
    'rendered (needs helm): %s',
    async (_where, block) => void (await run(block, SANDBOX, HELM_RENDERS)),
    BLOCK_TIMEOUT_MS,
  );
});

describe('commands of the documents, in the lab', () => {
  const lab = useLab({ nodes: 3 });
  beforeAll(async () => {
    writeNodeCommands(lab().nodes, join(folder, 'dist/lab'));
    // What scripts/lab-up.ts puts into the registry.
    await lab().upstream.push(createImage({ seed: 'hello', layers: [{ sizeBytes: 20e6 }] }), 'hello', 'v1');
  });
  // In their order: the later ones look at what the earlier ones have pulled.
  test.each(of('lab'))(
    '%s',
    async (_where, block) => void (await run(block, [], '', folder)),
    BLOCK_TIMEOUT_MS,
  );

  test.each(of('node'))(
    'on a node: %s',
    async (_where, block) => void (await run(block, [join(folder, 'dist/lab/n2')])),
    BLOCK_TIMEOUT_MS,
  );

  test('and the lab has been through the quick start', async () => {
    expect(
      (await lab().node(2).mirror.metrics()).sum('spegel_mirror_requests_total', { cache: 'hit' }),
    ).toBeGreaterThan(0);
  });
});
