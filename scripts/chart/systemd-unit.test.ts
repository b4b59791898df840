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
    const text = await readFile(join(FOLDER, 'spegel.env'), 'utf8');
    const environment = Object.fromEntries(
      [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
    );
    const known = new Set(Object.keys({ ...configureFlags, ...registryFlags }).map(environmentName));
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
    expect(configureOptions(readFlags(configureFlags, {}, environment)).targets).toHaveLength(1);
    expect(registryOptions(readFlags(registryFlags, {}, environment))).toMatchObject({
      bootstrapKind: 'dns',
      metricsAddr: '127.0.0.1:9090',
    });
  });
});
