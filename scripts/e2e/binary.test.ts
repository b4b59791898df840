import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { tryCommand } from '../lab/run-command.ts';
import { BINARY } from '../lab/binary.ts';
import { neededGlibc } from '../lab/needed-glibc.ts';
import { REPOSITORY } from '../chart/render-chart.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-e2e-'));
});

afterEach(async () => rm(folder, { recursive: true, force: true }));

const configure = async (...args: readonly string[]) =>
  tryCommand([
    BINARY,
    'configure',
    '--containerd-registry-config-path',
    folder,
    '--mirror-targets',
    'http://127.0.0.1:30020',
    ...args,
  ]);

test('a hostile current directory runs no code and changes no flag', async () => {
  await writeFile(join(folder, 'evil.ts'), `await Bun.write('${folder}/owned', '');`);
  await writeFile(join(folder, 'bunfig.toml'), 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n');
  await writeFile(join(folder, '.env'), 'LOG_LEVEL=NONSENSE\nBUN_OPTIONS=--preload=./evil.ts\n');
  await writeFile(join(folder, 'package.json'), '{"name":"evil","type":"module"}');
  await writeFile(join(folder, 'tsconfig.json'), '{"extends":"./evil.json"}');
  await chmod(folder, 0o755);
  for (const args of [['version'], ['peers', '--addr', '127.0.0.1:9']]) {
    const { stderr } = await tryCommand([BINARY, ...args], { cwd: folder });
    expect(stderr).not.toContain('NONSENSE');
  }
  expect(existsSync(join(folder, 'owned'))).toBe(false);
});

test('version prints a version and a commit', async () => {
  const { exitCode, stdout } = await tryCommand([BINARY, 'version', '--format', 'json']);
  expect(exitCode).toBe(0);
  const { version, commit } = JSON.parse(stdout) as { version: string; commit: string };
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(commit).toMatch(/^([0-9a-f]{7,40}(-dirty)?|unknown)$/);
});

// Those of --all are there if it was built with that.
test.each(
  [BINARY, ...['x64', 'arm64'].map((name) => join(dirname(BINARY), `spegel-linux-${name}`))].filter(
    existsSync,
  ),
)('needs no newer glibc than COMPATIBILITY.md says: %s', async (binary) => {
  const document = await readFile(join(REPOSITORY, 'docs/COMPATIBILITY.md'), 'utf8');
  const [, minor] = /^\| glibc \|.*\b2\.(\d+) on\b/m.exec(document) ?? [];
  const needed = /^2\.(\d+)$/.exec(await neededGlibc(binary))?.[1];
  expect(Number(needed)).toBeLessThanOrEqual(Number(minor));
});

test('without /proc it ends as COMPATIBILITY.md says', async () => {
  const document = await readFile(join(REPOSITORY, 'docs/COMPATIBILITY.md'), 'utf8');
  const [, message = ''] = /^\| \/proc \|.*`(panic[^`]+)`/m.exec(document) ?? [];
  expect(message).not.toBe('');
  const script = 'umount --lazy /proc && exec "$0" "$@"';
  const command = ['unshare', '--mount', 'sh', '-c', script, BINARY, 'version'];
  const { exitCode, stdout, stderr } = await tryCommand(command);
  expect({ hasFailed: exitCode !== 0, stdout }).toEqual({ hasFailed: true, stdout: '' });
  expect(stderr).toContain(message);
});

test('with the processes of /proc alone it runs', async () => {
  const script = 'mount -t proc -o subset=pid proc /proc && exec "$0" "$@"';
  const command = ['unshare', '--mount', '--pid', '--fork', 'sh', '-c', script, BINARY, 'version'];
  const { exitCode, stdout } = await tryCommand(command);
  expect({ exitCode, stdout }).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^spegel version/),
  });
});

test.each([[[]], [['--mirrored-registries', 'https://docker.io', 'http://registry.lab:5000']]])(
  'configure twice changes nothing (%j)',
  async (args) => {
    const files = args.length === 0 ? ['_default'] : ['docker.io', 'registry.lab:5000'];
    const read = async () =>
      Promise.all(
        files.map(async (name) => {
          const path = join(folder, name, 'hosts.toml');
          return [await readFile(path, 'utf8'), (await stat(path)).mtimeMs];
        }),
      );
    expect((await configure(...args)).exitCode).toBe(0);
    const first = await read();
    for (const [text] of first) expect(text).toContain('http://127.0.0.1:30020');
    expect((await configure(...args)).exitCode).toBe(0);
    const second = await read();
    expect(second.map(([text]) => text)).toEqual(first.map(([text]) => text));
  },
);

test('configure takes a hosts.toml over that is not its own, and keeps it in _backup', async () => {
  const foreign = 'server = "https://mine.lab"\n';
  await mkdir(join(folder, 'docker.io'));
  await writeFile(join(folder, 'docker.io', 'hosts.toml'), foreign);
  const { exitCode } = await configure('--mirrored-registries', 'https://docker.io', 'http://a.lab');
  expect(exitCode).toBe(0);
  expect(await readFile(join(folder, '_backup', 'docker.io', 'hosts.toml'), 'utf8')).toBe(foreign);
  expect(await readFile(join(folder, 'docker.io', 'hosts.toml'), 'utf8')).toContain('https://mine.lab');
  expect(existsSync(join(folder, 'a.lab'))).toBe(true);
});
