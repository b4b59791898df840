import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { ForeignHostsTomlError, type HostsConfig, HostsConfigError } from './hosts-config.ts';
import { planHosts } from './plan-hosts.ts';
import { parseRegistryUrl } from './registry-url.ts';
import { writeHosts } from './write-hosts.ts';

let configPath: string;

beforeEach(async () => {
  configPath = await mkdtemp(join(tmpdir(), 'spegel-hosts-'));
});
afterEach(async () => {
  await rm(configPath, { recursive: true, force: true });
});

const urls = (...texts: string[]) => texts.map((text) => parseRegistryUrl(text));
const config = (changes: Partial<HostsConfig> = {}): HostsConfig => ({
  configPath,
  allRegistries: false,
  registries: [],
  targets: urls('http://10.0.0.1:30020'),
  resolveTags: true,
  authorization: undefined,
  ...changes,
});

/** Makes files below the configuration; a path that ends in / is a folder. */
async function make(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(configPath, path.endsWith('/') ? path : dirname(path)), { recursive: true });
    if (!path.endsWith('/')) await writeFile(join(configPath, path), text);
  }
}

const golden = (name: string) => readFile(join(import.meta.dir, 'testdata', `${name}.toml`), 'utf8');

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('planHosts()', () => {
  test.each<
    [what: string, present: Record<string, string>, Partial<HostsConfig>, plan: Record<string, string>]
  >([
    ['all registries', {}, { allRegistries: true }, { _default: 'default' }],
    [
      'a list',
      {},
      { registries: urls('https://docker.io', 'http://registry.lab:5000') },
      { 'docker.io': 'docker-io', 'registry.lab:5000': 'registry-lab-5000' },
    ],
    [
      'several targets, IPv6 without brackets, one of them twice, and no tags',
      {},
      {
        registries: urls('https://ghcr.io'),
        targets: urls('http://fd00::1:30020', 'http://10.0.0.1:30021', 'http://[fd00::1]:30020'),
        resolveTags: false,
      },
      { 'ghcr.io': 'several-targets' },
    ],
    [
      'basic auth',
      {},
      {
        registries: urls('https://docker.io'),
        targets: urls('http://10.0.0.1:30020', 'http://10.0.0.1:30021'),
        authorization: 'Basic dXNlcjpwYXNz',
      },
      { 'docker.io': 'basic-auth' },
    ],
    [
      'an IPv6 registry',
      {},
      { registries: urls('http://fd00::2:5000') },
      { '[fd00::2]:5000': 'ipv6-registry' },
    ],
    [
      'all registries, where folders with certificates would hide the default',
      {
        'registry.lab:5000/z.crt': 'PEM',
        'registry.lab:5000/a.crt': 'PEM',
        'registry.lab:5000/own.cert': 'PEM',
        'registry.lab:5000/own.key': 'PEM',
        'registry.lab:5000/both.cert': 'PEM',
        'registry.lab:5000/folder.crt/': '',
        'ghcr.io_8443_/ca.crt': 'PEM',
        'localhost:5000/': '',
        'docker.io/': '',
      },
      { allRegistries: true },
      {
        _default: 'default',
        'docker.io': 'docker-io',
        'ghcr.io_8443_': 'underscore-port-certificates',
        'localhost:5000': 'default',
        'registry.lab:5000': 'certificates',
      },
    ],
    [
      'the default with certificates',
      { '_default/ca.crt': 'PEM' },
      { allRegistries: true },
      { _default: 'default-certificates' },
    ],
    [
      'a list, where the other form of a folder would hide ours',
      { 'registry.lab_5000_/': '' },
      { registries: urls('http://registry.lab:5000') },
      { 'registry.lab_5000_': 'registry-lab-5000', 'registry.lab:5000': 'registry-lab-5000' },
    ],
    [
      'a list beside folders of other registries',
      { 'ghcr.io/ca.crt': 'PEM', 'quay.io/hosts.toml': "server = 'https://quay.io'" },
      { registries: urls('https://docker.io') },
      { 'docker.io': 'docker-io' },
    ],
    [
      'all registries beside what is no registry',
      { '_backup/docker.io/hosts.toml': 'x', '..data/': '', 'readme.txt': 'x', 'lost+found/': '' },
      { allRegistries: true },
      { _default: 'default' },
    ],
    [
      'an empty hosts.toml, which containerd ignores',
      { '_default/hosts.toml': '' },
      { allRegistries: true },
      { _default: 'default' },
    ],
  ])('planHosts() plans %s', async (_what, present, changes, expected) => {
    await make(present);
    const plan = await planHosts(config(changes));
    const found = plan.map(({ path, text }) => [relative(configPath, path), text]);
    const wanted = Object.entries(expected).map(async ([folder, name]) => [
      `${folder}/hosts.toml`,
      await golden(name),
    ]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(await Promise.all(wanted)));
    expect(plan.every(({ changed }) => changed)).toBe(true);
  });

  test('planHosts() finds nothing to change after writeHosts()', async () => {
    await make({ 'ghcr.io/ca.crt': 'PEM' });
    const wanted = config({ allRegistries: true, registries: urls('http://registry.lab:5000') });
    await writeHosts(configPath, await planHosts(wanted));
    const plan = await planHosts(wanted);
    expect(plan.map(({ changed }) => changed)).toEqual([false, false, false]);
  });

  test('planHosts() keeps the server of an earlier run when only the folder tells of the registry', async () => {
    await writeHosts(configPath, await planHosts(config({ registries: urls('http://registry.lab:5000') })));
    const plan = await planHosts(config({ allRegistries: true }));
    const again = plan.find(({ registry }) => registry === 'registry.lab:5000');
    expect(again?.text).toBe(await golden('registry-lab-5000'));
    expect(again?.changed).toBe(false);
  });

  test('planHosts() takes a file over that says the same as ours', async () => {
    const text = await golden('docker-io');
    await make({ 'docker.io/hosts.toml': text.slice(text.indexOf('\n') + 1) });
    const [plan] = await planHosts(config({ registries: urls('https://docker.io') }));
    expect(plan?.changed).toBe(true);
    expect(plan?.text).toBe(text);
  });

  test.each([
    ['is foreign', "server = 'https://registry-1.docker.io'\n"],
    ['is no TOML', '<html>'],
    ['was edited since', 'EDITED'],
  ])('planHosts() throws when a hosts.toml %s', async (_what, foreign) => {
    const text = foreign === 'EDITED' ? `${await golden('docker-io')}skip_verify = true\n` : foreign;
    await make({ 'docker.io/hosts.toml': text, 'quay.io/': '' });
    const error = await failureOf(planHosts(config({ allRegistries: true })));
    expect(error).toBeInstanceOf(ForeignHostsTomlError);
    expect((error as Error).message).toContain(join(configPath, 'docker.io/hosts.toml'));
  });

  test('planHosts() throws when a hosts.toml is a link to nothing', async () => {
    await make({ 'docker.io/': '' });
    await symlink('nowhere', join(configPath, 'docker.io/hosts.toml'));
    const error = await failureOf(planHosts(config({ allRegistries: true })));
    expect(error).toBeInstanceOf(HostsConfigError);
  });

  test('planHosts() throws when one registry is given with two schemes', async () => {
    const registries = urls('http://registry.lab', 'https://registry.lab');
    expect(await failureOf(planHosts(config({ registries })))).toBeInstanceOf(HostsConfigError);
  });

  test('planHosts() throws when the configuration is a file', async () => {
    await make({ file: '' });
    const error = await failureOf(
      planHosts(config({ configPath: join(configPath, 'file'), allRegistries: true })),
    );
    expect((error as Error).message).toBe(
      `Cannot read ${join(configPath, 'file')}: a part of the path is no folder`,
    );
  });
});
