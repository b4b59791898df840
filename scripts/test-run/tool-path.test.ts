import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createToolPath, parsePackages } from './tool-path.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-tool-path-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const which = (PATH: string, name: string) => Bun.which(name, { PATH });

describe('parsePackages()', () => {
  test('parsePackages() takes a package and its commands from each line', () => {
    expect(parsePackages('# a comment\n\niproute2 ip tc\n  curl curl\n')).toEqual([
      { package: 'iproute2', commands: ['ip', 'tc'] },
      { package: 'curl', commands: ['curl'] },
    ]);
  });
});

describe('createToolPath()', () => {
  test('createToolPath() has what is essential, what is named, Bun, and nothing else', async () => {
    const path = await createToolPath({
      folder: join(folder, 'path'),
      packages: 'iproute2 ip tc\n',
      optional: [['no-such-command'], ['skopeo', '--version']],
    });
    for (const name of ['sh', 'bash', 'mount', 'unshare', 'tar', 'awk', 'ip', 'tc', 'bun', 'skopeo']) {
      expect({ name, found: which(path, name) !== null }).toEqual({ name, found: true });
    }
    for (const name of ['curl', 'containerd', 'no-such-command', 'node', 'gcc', 'python3']) {
      expect({ name, found: which(path, name) }).toEqual({ name, found: null });
    }
  });

  test('createToolPath() takes a package of two architectures, and none that is not installed', async () => {
    const [admin, before] = [join(folder, 'dpkg'), process.env['DPKG_ADMINDIR']];
    const packages = [
      ['twice', 'amd64', 'installed', '/bin/sh'],
      ['twice', 'i386', 'installed', '/bin/sh'],
      ['gone', 'amd64', 'not-installed', '/bin/cat'],
    ] as const;
    await mkdir(join(admin, 'info'), { recursive: true });
    await writeFile(join(admin, 'info/format'), '1\n');
    const stanzas = packages.map(
      ([name, architecture, status]) =>
        `Package: ${name}\nArchitecture: ${architecture}\nStatus: install ok ${status}\nPriority: required\n` +
        'Multi-Arch: same\nVersion: 1\nMaintainer: a\nDescription: b\n',
    );
    await writeFile(join(admin, 'status'), stanzas.join('\n'));
    for (const [name, architecture, status, file] of packages) {
      if (status === 'installed') {
        await writeFile(join(admin, `info/${name}:${architecture}.list`), `${file}\n`);
      }
    }
    process.env['DPKG_ADMINDIR'] = admin;
    try {
      const path = await createToolPath({ folder: join(folder, 'path'), packages: '', optional: [] });
      expect([which(path, 'sh'), which(path, 'cat')]).toEqual([join(path, 'sh'), null]);
    } finally {
      if (before === undefined) delete process.env['DPKG_ADMINDIR'];
      else process.env['DPKG_ADMINDIR'] = before;
    }
  });

  test('createToolPath() finds a command for root without a PATH that leads there', async () => {
    const before = process.env['PATH'];
    process.env['PATH'] = '/usr/bin:/bin';
    try {
      const path = await createToolPath({
        folder: join(folder, 'path'),
        packages: 'iproute2 tc\n',
        optional: [],
      });
      expect(which(path, 'tc')).toBe(join(path, 'tc'));
    } finally {
      process.env['PATH'] = before;
    }
  });

  test('createToolPath() leaves out an optional command that does not work with that PATH alone', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'elsewhere'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    await writeFile(join(bin, 'wrapper'), '#!/bin/sh\nexec elsewhere "$@"\n', { mode: 0o755 });
    await writeFile(join(bin, 'other'), '#!/bin/sh\n[ "$1" = version ]\n', { mode: 0o755 });
    const before = process.env['PATH'];
    process.env['PATH'] = `${bin}:${before}`;
    try {
      const path = await createToolPath({
        folder: join(folder, 'path'),
        packages: '',
        optional: [['wrapper', 'version'], ['other', 'version'], ['elsewhere'], ['sh', '-c', 'exit 1']],
      });
      const names = ['wrapper', 'other', 'elsewhere', 'sh'].filter((name) => which(path, name) !== null);
      expect(names).toEqual(['other', 'elsewhere', 'sh']);
    } finally {
      process.env['PATH'] = before;
    }
  });

  test('createToolPath() throws when a named command is missing', async () => {
    const options = { folder: join(folder, 'path'), packages: 'no-package no-such-command\n', optional: [] };
    const error = await createToolPath(options).catch((reason: unknown) => reason);
    expect(String(error)).toContain('no-such-command is not on the PATH: run scripts/setup');
  });

  test('scripts/packages names a package once, each with a command', async () => {
    const packages = parsePackages(await readFile(join(import.meta.dir, '../packages'), 'utf8'));
    expect(packages.length).toBeGreaterThan(0);
    expect(new Set(packages.map((each) => each.package)).size).toBe(packages.length);
    expect(packages.filter(({ commands }) => commands.length === 0)).toEqual([]);
  });
});
