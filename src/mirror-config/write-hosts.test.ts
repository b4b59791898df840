import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostFiles, systemHostFiles } from './host-files.ts';
import { HostsConfigError } from './hosts-config.ts';
import { createHostsFolder, type HostsFolder, type HostsTree, THEIRS, urls } from './hosts-folder.fixture.ts';
import { killEverywhere, killedAt } from './hosts-killed.fixture.ts';
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

describe('writeHosts()', () => {
  test('writeHosts() makes folders of 0755 and files of the mode, whatever the umask is', async () => {
    await rm(folder.configPath, { recursive: true });
    const umask = process.umask(0o077);
    try {
      await folder.configure(LISTED);
      await folder.configure({ ...ALL, authorization: 'Basic dXNlcjpwYXNz' });
    } finally {
      process.umask(umask);
    }
    expect(await folder.read()).toEqual({
      'certs.d/': '',
      'certs.d/_backup/': '',
      'certs.d/_default/': '',
      'certs.d/_default/hosts.toml': expect.stringMatching(/^0600 #/) as string,
    });
  });

  test('writeHosts() copies everything to _backup before, and leaves it in its place', async () => {
    await folder.make(THEIRS);
    const before = await folder.read();
    await folder.configure(LISTED);
    const after = await folder.read();
    const kept = Object.entries(before)
      .filter(([path]) => /^certs\.d\/./.test(path))
      .map(([path, text]) => [path.replace('certs.d/', 'certs.d/_backup/'), text]);
    expect(kept).not.toEqual([]);
    expect(after).toMatchObject(Object.fromEntries(kept) as HostsTree);
    const ours = new Set(['docker.io/hosts.toml', 'ghcr.io', 'ghcr.io/', 'ghcr.io/hosts.toml']);
    for (const [path, text] of Object.entries(before)) {
      if (!ours.has(path.replace('certs.d/', ''))) expect([path, after[path]]).toEqual([path, text]);
    }
  });

  test.each([
    ['all', ALL],
    ['a list', LISTED],
    ['prepended', { ...ALL, prependExisting: true }],
  ])('writeHosts() finds nothing to change in a second run, %s', async (_what, changes) => {
    await folder.make(THEIRS);
    await folder.configure(changes);
    const before = await folder.read();
    const { files, done } = killedAt(0);
    await folder.configure(changes, files);
    expect(done()).toBe(0);
    expect(await folder.read()).toEqual(before);
  });

  test('writeHosts() restores or removes what an earlier run wrote for other registries', async () => {
    await folder.make(THEIRS);
    await folder.configure(LISTED);
    await folder.configure({ registries: urls('https://quay.io') });
    const { configPath } = folder;
    const changed = await folder.read();
    await rm(join(configPath, 'quay.io/hosts.toml'));
    await symlink('../../single.toml', join(configPath, 'quay.io/hosts.toml'));
    await rm(join(configPath, '_backup'), { recursive: true });
    const before = await folder.read();
    expect(before).toEqual(await startAnew());
    expect(changed['certs.d/quay.io/hosts.toml']).toStartWith('# Written by');
  });

  test('writeHosts() works through a link in place of the configuration', async () => {
    await folder.make(THEIRS);
    await rename(folder.configPath, join(folder.root, 'real'));
    await symlink('real', folder.configPath);
    const before = await folder.read();
    await folder.configure(ALL);
    expect((await folder.read())['certs.d']).toBe('-> real');
    expect(await folder.text('docker.io/hosts.toml')).toStartWith('# Written by');
    await restoreHosts(folder.configPath);
    expect(await folder.read()).toEqual(before);
  });

  test('writeHosts() does not write through links: what is behind them has no copy', async () => {
    await folder.make(THEIRS);
    await folder.configure(ALL);
    const after = await folder.read();
    expect(after['elsewhere/hosts.toml']).toBe("ca = 'ca.crt'\n");
    expect(after['single.toml']).toBe("server = 'https://quay.io'\n");
    expect(after['certs.d/ghcr.io/hosts.toml']).toContain(`ca = '${folder.root}/elsewhere/ca.crt'`);
  });

  test('writeHosts() puts a folder in place of a link to nothing, which comes back', async () => {
    await folder.make({ 'new.lab:5000': '-> /nowhere/at/all', 'ghcr.io': '-> /nowhere' });
    const before = await folder.read();
    await folder.configure(LISTED);
    await folder.configure(LISTED);
    expect(await folder.text('new.lab:5000/hosts.toml')).toContain("server = 'http://new.lab:5000'");
    await folder.configure(ALL);
    await folder.configure(LISTED);
    await restoreHosts(folder.configPath);
    expect(await folder.read()).toEqual(before);
  });

  test('writeHosts() keeps what somebody adds and changes later, also through a run of the original', async () => {
    await folder.make(THEIRS);
    await folder.configure(ALL);
    const added: HostsTree = {
      'late.example/hosts.toml': "server = 'https://late.example'\n",
      'docker.io/late.crt': '0600 LATE',
      'late.txt': 'late',
    };
    await folder.make(added);
    const newer = "server = 'https://newer.example'\n";
    await writeFile(join(folder.configPath, 'docker.io/hosts.toml'), newer);
    await folder.configure(ALL);
    expect(await folder.text('docker.io/hosts.toml')).toContain("server = 'https://newer.example'");
    expect(await folder.text('lscr.io/hosts.toml')).toContain("server = 'https://newer.example'");
    expect(await folder.text('late.example/hosts.toml')).toStartWith('# Written by');
    const original = { registries: ['_default'], target: 'http://10.0.0.1:30020' };
    await originalConfiguration(folder.configPath, original);
    await originalCleanup(folder.configPath);
    const after = await folder.read();
    for (const [path, text] of Object.entries(added)) expect(after[`certs.d/${path}`]).toBe(text);
    expect(after['certs.d/docker.io/hosts.toml']).toContain(newer);
    const old = Object.keys(after).find((path) => path.endsWith('.old')) ?? '';
    expect(old).toMatch(/^certs\.d\/docker\.io\/hosts\.toml\.[0-9a-f]{12}\.old$/);
    expect(after[old]).toBe(THEIRS['docker.io/hosts.toml']);
  });

  test('writeHosts() does not bring back what somebody has deleted since', async () => {
    await folder.make(THEIRS);
    await folder.configure(ALL);
    await rm(join(folder.configPath, 'docker.io/own.key'));
    await rm(join(folder.configPath, 'registry.lab:5000'), { recursive: true });
    await folder.configure(ALL);
    const after = await folder.read();
    expect(after['certs.d/docker.io/own.key']).toBeUndefined();
    expect(after['certs.d/registry.lab:5000/']).toBeUndefined();
  });

  test('writeHosts() brings back what the original has taken away', async () => {
    await folder.make(THEIRS);
    await folder.configure({ ...ALL, prependExisting: true });
    const before = await folder.read();
    for (const existing of [undefined, "[host.'https://cache.example']"]) {
      const original = { registries: ['docker.io'], target: 'http://10.0.0.1:30020' };
      await originalConfiguration(
        folder.configPath,
        existing === undefined ? original : { ...original, existing },
      );
      await folder.configure({ ...ALL, prependExisting: true });
      expect(await folder.read()).toEqual(before);
    }
  });

  test('writeHosts() leaves everything in its place or in _backup when it is killed at any point', async () => {
    let before: HostsTree = {};
    const start = async () => {
      before = await startAnew();
    };
    const points = await killEverywhere(
      start,
      async (files) => folder.configure(ALL, files),
      async () => {
        const state = await folder.read();
        const kept = Object.keys(state).filter((path) => path.startsWith('certs.d/_backup/')).length;
        const inConfig = Object.keys(before).filter((path) => path.startsWith('certs.d/')).length;
        expect([0, inConfig]).toContain(kept);
        await restoreHosts(folder.configPath);
        expect(await folder.read()).toEqual(before);
      },
    );
    expect(points).toBeGreaterThan(80);
  });

  test('writeHosts() goes on where a killed run has stopped, and the original cleans up after it', async () => {
    let before: HostsTree = {};
    await folder.make(THEIRS);
    await folder.configure(ALL);
    const wanted = await folder.read();
    const start = async () => {
      before = await startAnew();
    };
    await killEverywhere(
      start,
      async (files) => folder.configure(ALL, files),
      async () => {
        await folder.configure(ALL);
        const root = (tree: HostsTree) => JSON.stringify(tree).replaceAll(/spegel-hosts-\w+/g, '');
        const hashless = (tree: HostsTree) => root(tree).replaceAll(/sha256:[0-9a-f]{64}/g, '');
        expect(sorted(JSON.parse(hashless(await folder.read())) as HostsTree)).toEqual(
          sorted(JSON.parse(hashless(wanted)) as HostsTree),
        );
        await originalCleanup(folder.configPath);
        expect(await folder.read()).toEqual(before);
      },
    );
  });

  test('writeHosts() names the file when the file system is read-only, and changes nothing', async () => {
    await folder.make(THEIRS);
    const before = await folder.read();
    const refuse = async () => {
      throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
    };
    const files = Object.fromEntries(
      Object.keys(systemHostFiles).map((name) => [name, refuse]),
    ) as unknown as HostFiles;
    const error: unknown = await folder.configure(ALL, files).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(HostsConfigError);
    expect((error as Error).message).toBe(
      `Cannot copy ${folder.configPath} to ${folder.configPath}/_backup: the file system is read-only; mount it writable`,
    );
    expect(await folder.read()).toEqual(before);
  });

  test('writeHosts() touches nothing that has not changed', async () => {
    await folder.configure(ALL);
    const path = join(folder.configPath, '_default/hosts.toml');
    const before = await stat(path, { bigint: true });
    await folder.configure(ALL);
    const after = await stat(path, { bigint: true });
    expect([after.mtimeNs, after.ino]).toEqual([before.mtimeNs, before.ino]);
    expect(await readFile(path, 'utf8')).toStartWith('# Written by');
  });
});

function sorted(tree: HostsTree): Array<readonly [string, string]> {
  return Object.entries(tree).sort(([left], [right]) => (left < right ? -1 : 1));
}
