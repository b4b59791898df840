import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHostsFolder, type HostsFolder, type HostsTree, THEIRS, urls } from './hosts-folder.fixture.ts';
import { killEverywhere } from './hosts-killed.fixture.ts';
import { originalCleanup, originalConfiguration } from './hosts-original.fixture.ts';
import { restoreHosts } from './hosts-restore.ts';

let folder: HostsFolder;

beforeEach(async () => {
  folder = await createHostsFolder();
});
afterEach(async () => folder[Symbol.asyncDispose]());

const ALL = { allRegistries: true };
const LISTED = { registries: urls('https://docker.io', 'https://ghcr.io', 'http://new.lab:5000') };

/** A new folder with what somebody had before. */
async function startAnew(): Promise<HostsTree> {
  await folder[Symbol.asyncDispose]();
  folder = await createHostsFolder();
  await folder.make(THEIRS);
  return folder.read();
}

describe('restoreHosts()', () => {
  const original = { registries: ['_default', 'docker.io'], target: 'http://10.0.0.1:30020' };
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    ours: async () => folder.configure(ALL),
    prepended: async () => folder.configure({ ...ALL, prependExisting: true }),
    listed: async () => folder.configure(LISTED),
    original: async () => originalConfiguration(folder.configPath, original),
    'original prepended': async () =>
      originalConfiguration(folder.configPath, {
        registries: ['docker.io'],
        target: 'http://10.0.0.1:30020',
        existing: "[host.'https://cache.example']",
      }),
    'original killed': async () => originalConfiguration(folder.configPath, { ...original, moves: 3 }),
    'our cleanup': async () => restoreHosts(folder.configPath),
    'original cleanup': async () => originalCleanup(folder.configPath),
  };

  test.each([
    [['ours', 'our cleanup']],
    [['ours', 'original cleanup']],
    [['original', 'our cleanup']],
    [['original prepended', 'our cleanup']],
    [['ours', 'original', 'ours', 'our cleanup']],
    [['ours', 'original', 'ours', 'original cleanup']],
    [['original', 'ours', 'original cleanup']],
    [['original', 'ours', 'our cleanup']],
    [['ours', 'original', 'original cleanup']],
    [['ours', 'original', 'our cleanup']],
    [['original prepended', 'prepended', 'listed', 'original', 'our cleanup']],
    [['original killed', 'our cleanup']],
    [['original killed', 'ours', 'our cleanup']],
    [['original killed', 'ours', 'original cleanup']],
    [['prepended', 'our cleanup', 'our cleanup', 'original', 'original cleanup']],
    [['our cleanup']],
  ])('restoreHosts() and the original restore byte for byte after %p, twice', async (names) => {
    await folder.make(THEIRS);
    const before = await folder.read();
    for (const name of [...names, ...names]) await steps[name]?.();
    expect(await folder.read()).toEqual(before);
    // Run again, the original deletes what it had not moved yet.
    for (const name of names.includes('original killed') ? [] : names) {
      await steps[name]?.();
      await steps[name]?.();
    }
    expect(await folder.read()).toEqual(before);
  });

  test('restoreHosts() leaves what somebody added or changed since', async () => {
    await folder.make(THEIRS);
    await folder.configure(ALL);
    const added: HostsTree = {
      'docker.io/late.crt': 'LATE',
      'late.example/hosts.toml': "server = 'https://late.example'\n",
      '_default/ca.crt': 'PEM',
    };
    await folder.make(added);
    await writeFile(join(folder.configPath, 'registry.lab:5000/ca.crt'), 'ROTATED');
    await writeFile(join(folder.configPath, 'docker.io/hosts.toml'), '# newer\n');
    await restoreHosts(folder.configPath);
    const after = await folder.read();
    for (const [path, text] of Object.entries(added)) expect(after[`certs.d/${path}`]).toBe(text);
    expect(after['certs.d/registry.lab:5000/ca.crt']).toBe('0600 ROTATED');
    expect(after['certs.d/docker.io/hosts.toml']).toBe('# newer\n');
    expect(after['certs.d/_default/hosts.toml']).toBeUndefined();
    expect(after['certs.d/_backup/']).toBeUndefined();
  });

  test('restoreHosts() removes only files of ours when there is no _backup', async () => {
    await folder.configure(LISTED);
    await originalConfiguration(folder.configPath, original);
    await folder.configure({ registries: urls('https://quay.io') });
    await folder.make({
      'docker.io/hosts.toml':
        "[host.'http://10.0.0.1:30020']\ncapabilities = ['pull']\ndial_timeout = '200ms'",
    });
    await rm(join(folder.configPath, '_backup'), { recursive: true });
    const { hadBackup } = await restoreHosts(folder.configPath);
    expect(hadBackup).toBe(false);
    expect(Object.keys(await folder.read()).sort()).toEqual([
      'certs.d/',
      'certs.d/docker.io/',
      'certs.d/docker.io/hosts.toml',
    ]);
  });

  test('restoreHosts() has nothing to do where there is no configuration', async () => {
    await rm(folder.configPath, { recursive: true });
    expect(await restoreHosts(folder.configPath)).toEqual({ changes: [], hadBackup: false, conflicts: [] });
  });

  test('restoreHosts() keeps _backup when a link in it cannot go back', async () => {
    await folder.make(THEIRS);
    await folder.configure(ALL);
    await folder.make({ 'ghcr.io/late.crt': 'LATE' });
    const { conflicts } = await restoreHosts(folder.configPath);
    expect(conflicts).toEqual(['ghcr.io']);
    const after = await folder.read();
    expect(after['certs.d/ghcr.io/late.crt']).toBe('LATE');
    expect(after['certs.d/_backup/ghcr.io']).toBe('-> ../elsewhere');
  });

  test('restoreHosts() goes on where a killed run has stopped', async () => {
    let before: HostsTree = {};
    const runs = [
      async () => folder.configure(ALL),
      async () => originalConfiguration(folder.configPath, original),
    ];
    for (const run of runs) {
      await killEverywhere(
        async () => {
          before = await startAnew();
          await run();
        },
        async (files) => restoreHosts(folder.configPath, files),
        async () => {
          await restoreHosts(folder.configPath);
          expect(await folder.read()).toEqual(before);
        },
      );
    }
  });
});
