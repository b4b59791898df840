import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configureFlags, configureOptions } from '../../src/cli/configure-flags.ts';
import { environmentName, readFlags } from '../../src/cli/flag.ts';
import { registryFlags, registryOptions } from '../../src/cli/registry-flags.ts';
import { ENGINE_SETTINGS } from '../../src/runtime/engine-settings.ts';
import { REPOSITORY } from './render-chart.ts';

const FOLDER = join(REPOSITORY, 'deploy/systemd');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-unit-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('deploy/systemd', () => {
  test('systemd-analyze verify finds nothing in the unit', async () => {
    const unit = join(folder, 'spegel.service');
    const text = await readFile(join(FOLDER, 'spegel.service'), 'utf8');
    // It wants the program to be where the unit says.
    await writeFile(unit, text.replaceAll('/usr/local/bin/spegel', process.execPath));
    const { exitCode, stderr } = Bun.spawnSync(['systemd-analyze', 'verify', unit]);
    expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: '' });
  });

  test('the unit starts the daemon with the settings of the engine', async () => {
    const text = await readFile(join(FOLDER, 'spegel.service'), 'utf8');
    const settings = Object.entries(ENGINE_SETTINGS).map(([name, value]) => `${name}=${value}`);
    expect(text).toContain(`\nEnvironment=${settings.join(' ')}\n`);
  });

  test('the environment file has flags of both commands, which take their values', async () => {
    const { lines } = await readEnvironmentFile();
    const known = new Set(Object.keys({ ...configureFlags, ...registryFlags }).map(environmentName));
    expect(lines.filter(([name]) => !known.has(name))).toEqual([]);
    const active = Object.fromEntries(lines);
    expect(configureOptions(readFlags(configureFlags, {}, active)).targets).toHaveLength(1);
    const example = { ...active, BOOTSTRAP_KIND: 'static' };
    expect(registryOptions(readFlags(registryFlags, {}, example))).toMatchObject({
      metricsAddr: '127.0.0.1:9090',
    });
  });

  test('the environment file as it comes names no other machine, and says what has to be set', async () => {
    const { lines } = await readEnvironmentFile();
    expect(lines.filter(([, value]) => !/^(?:http:\/\/)?127\.0\.0\.1:\d+$/.test(value))).toEqual([]);
    const start = () => readFlags(registryFlags, {}, Object.fromEntries(lines));
    expect(start).toThrow('--bootstrap-kind is required, or BOOTSTRAP_KIND in the environment');
    // It says the same at the next start, so there is none.
    expect(await readFile(join(FOLDER, 'spegel.service'), 'utf8')).toContain(
      '\nRestartPreventExitStatus=2\n',
    );
  });

  test('each example of the environment file is complete, with names and addresses that nothing has', async () => {
    const { lines, examples } = await readEnvironmentFile();
    const starts = examples.flatMap(([name], index) => (name === 'BOOTSTRAP_KIND' ? [index] : []));
    expect(starts.map((start) => examples[start]?.[1])).toEqual(['dns', 'http', 'static']);
    for (const [index, start] of starts.entries()) {
      const example = Object.fromEntries([...lines, ...examples.slice(start, starts[index + 1])]);
      expect(registryOptions(readFlags(registryFlags, {}, example)).bootstrapKind).toBe(
        example['BOOTSTRAP_KIND'] as 'dns',
      );
    }
    const named = examples.map(([, value]) => value).filter((value) => value.includes('.'));
    const reserved = /^(?:http:\/\/)?(?:192\.0\.2\.\d+(?::\d+)?|[a-z.]+\.example\.)$/;
    expect(named.filter((value) => !reserved.test(value))).toEqual([]);
  });
});

/** Names and values, in their order, as systemd.exec(5) reads them, and of the lines that are commented out. */
async function readEnvironmentFile() {
  const text = await readFile(join(FOLDER, 'spegel.env'), 'utf8');
  const pairs = (pattern: RegExp) =>
    Array.from(text.matchAll(pattern), ([, name = '', value = '']) => [name, value] as const);
  return { lines: pairs(/^([A-Z_]+)=(.*)$/gm), examples: pairs(/^#([A-Z_]+)=(.*)$/gm) };
}
