import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostsConfigError, type PlannedHostsToml } from './hosts-config.ts';
import { writeHosts } from './write-hosts.ts';

let root: string;
let configPath: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'spegel-hosts-'));
  configPath = join(root, 'certs.d');
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const planned = (changes: Partial<PlannedHostsToml> = {}): PlannedHostsToml => ({
  path: join(configPath, 'docker.io', 'hosts.toml'),
  registry: 'docker.io',
  text: 'new',
  mode: 0o644,
  changed: true,
  ...changes,
});
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe('writeHosts()', () => {
  test('writeHosts() makes folders of 0755 and files of the mode, whatever the umask is', async () => {
    const umask = process.umask(0o077);
    try {
      await writeHosts(configPath, [planned()]);
      await writeHosts(configPath, [planned({ path: join(configPath, 'ghcr.io/hosts.toml'), mode: 0o600 })]);
    } finally {
      process.umask(umask);
    }
    expect(await modeOf(configPath)).toBe(0o755);
    expect(await modeOf(join(configPath, 'docker.io'))).toBe(0o755);
    expect(await modeOf(join(configPath, 'docker.io/hosts.toml'))).toBe(0o644);
    expect(await modeOf(join(configPath, 'ghcr.io/hosts.toml'))).toBe(0o600);
  });

  test('writeHosts() leaves other files and nothing temporary', async () => {
    await mkdir(join(configPath, 'docker.io'), { recursive: true });
    await writeFile(join(configPath, 'docker.io/ca.crt'), 'PEM');
    await writeFile(join(configPath, 'docker.io/hosts.toml'), 'a longer old text');
    await writeHosts(configPath, [planned()]);
    expect((await readdir(join(configPath, 'docker.io'))).sort()).toEqual(['ca.crt', 'hosts.toml']);
    expect(await readFile(join(configPath, 'docker.io/hosts.toml'), 'utf8')).toBe('new');
  });

  test('writeHosts() touches nothing that has not changed', async () => {
    await writeHosts(configPath, [planned()]);
    const before = await stat(join(configPath, 'docker.io/hosts.toml'), { bigint: true });
    await writeHosts(configPath, [planned({ changed: false })]);
    const after = await stat(join(configPath, 'docker.io/hosts.toml'), { bigint: true });
    expect([after.mtimeNs, after.ino]).toEqual([before.mtimeNs, before.ino]);
  });

  test('writeHosts() writes through links, which stay', async () => {
    await mkdir(join(root, 'real/elsewhere'), { recursive: true });
    await symlink('real', configPath);
    await symlink('elsewhere', join(root, 'real/docker.io'));
    await writeFile(join(root, 'text'), 'old');
    await symlink(join(root, 'text'), join(root, 'real/elsewhere/hosts.toml'));
    await writeHosts(configPath, [planned()]);
    expect(await readFile(join(root, 'text'), 'utf8')).toBe('new');
    for (const link of ['certs.d', 'real/docker.io', 'real/elsewhere/hosts.toml']) {
      expect((await lstat(join(root, link))).isSymbolicLink()).toBe(true);
    }
  });

  test('writeHosts() names the file when a part of its path is no folder', async () => {
    await writeFile(configPath, 'a file');
    const error: unknown = await writeHosts(configPath, [planned()]).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(HostsConfigError);
    expect((error as Error).message).toContain(join(configPath, 'docker.io/hosts.toml'));
  });
});
