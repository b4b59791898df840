import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { planConfiguration } from './hosts-configure.ts';
import { type AdditionalTarget, type HostsConfig, HostsConfigError } from './hosts-config.ts';
import { createHostsFolder, type HostsFolder, type HostsTree, urls } from './hosts-folder.fixture.ts';
import { parseRegistryUrl } from './registry-url.ts';

let folder: HostsFolder;

beforeEach(async () => {
  folder = await createHostsFolder();
});
afterEach(async () => folder[Symbol.asyncDispose]());

const golden = (name: string) => readFile(join(import.meta.dir, 'testdata', `${name}.toml`), 'utf8');
const plan = async (changes: Partial<HostsConfig>) =>
  (await planConfiguration(folder.config(changes))).changes.plan;
const additional = (registry: string, target: string, registryUrl?: string): AdditionalTarget => ({
  registry,
  target: parseRegistryUrl(target),
  registryUrl: registryUrl === undefined ? undefined : parseRegistryUrl(registryUrl),
});
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A file as administrators have it: comments, other quotes, the order that counts. */
const THEIRS = `# ours since 2024
server = "https://docker.io"
ca = ["/etc/ssl/own.crt", "own.crt"]
client = [["own.cert", "own.key"]]
skip_verify = true
future_setting = { level = 1, ratio = 1.0, at = 2024-01-02 }

[header]
  x-team = ["a", "b"]

[host."https://second.example"]
  capabilities = ["pull", "resolve", "push"]
  dial_timeout = "3s"
  ca = "second.crt"

[host."https://first.example/v2/hub"]
  override_path = true
  skip_verify = false
  [host."https://first.example/v2/hub".header]
    Authorization = "Basic b3du"

[host."http://10.0.0.1:30020"]
  ca = "mirror.crt"
`;

describe('planHosts()', () => {
  test.each<[what: string, present: HostsTree, Partial<HostsConfig>, plan: Record<string, string>]>([
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
      { '..data/': '', 'readme.txt': 'x', 'lost+found/': '', '.docker.io.0123456789ab.tmp/': '' },
      { allRegistries: true },
      { _default: 'default' },
    ],
    [
      'an empty hosts.toml, which containerd ignores',
      { '_default/hosts.toml': '' },
      { allRegistries: true },
      { _default: 'default' },
    ],
    [
      'what was there after the mirror, with the settings of the registry',
      { 'docker.io/hosts.toml': THEIRS },
      {
        registries: urls('https://docker.io'),
        targets: urls('http://10.0.0.1:30020', 'http://10.0.0.1:30021'),
        prependExisting: true,
      },
      { 'docker.io': 'prepended' },
    ],
    [
      'the settings of the registry, and not its mirrors, when those are not to be kept',
      { 'docker.io/hosts.toml': THEIRS },
      { registries: urls('https://docker.io') },
      { 'docker.io': 'own-settings' },
    ],
    [
      'the same from _backup, where the original has left its own file',
      {
        '_backup/docker.io/hosts.toml': THEIRS,
        'docker.io/hosts.toml':
          "server = 'https://registry-1.docker.io'\n\n[host.'http://10.0.0.1:30020']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n\n[host.'https://second.example']\nca = 'second.crt'",
      },
      { registries: urls('https://docker.io') },
      { 'docker.io': 'own-settings' },
    ],
    [
      'certificates that the original has taken away',
      { '_backup/_default/ca.crt': 'PEM', '_backup/docker.io/': '' },
      { allRegistries: true },
      { _default: 'default-certificates', 'docker.io': 'docker-io' },
    ],
    [
      'the default of somebody without a server, prepended',
      { '_default/hosts.toml': "[host.'https://second.example']\ncapabilities = ['pull']\n" },
      { allRegistries: true, prependExisting: true },
      { _default: 'default-prepended' },
    ],
    [
      'another server that was set for a registry',
      { 'docker.io/hosts.toml': "server = 'https://other.example'\n" },
      { registries: urls('https://docker.io') },
      { 'docker.io': 'other-server' },
    ],
    [
      'an additional target for one registry, without the password of the mirror',
      {},
      {
        allRegistries: true,
        additionalTargets: [
          additional('ghcr.io', 'http://10.0.0.9:5000'),
          additional('registry.lab:5000', 'http://10.0.0.9:5000', 'http://registry.lab:5000'),
        ],
        authorization: 'Basic dXNlcjpwYXNz',
      },
      {
        _default: 'default-basic-auth',
        'ghcr.io': 'additional-target',
        'registry.lab:5000': 'additional-target-url',
      },
    ],
  ])('planHosts() plans %s', async (_what, present, changes, expected) => {
    await folder.make(present);
    const planned = await plan(changes);
    const found = planned.map(({ path, text }) => [relative(folder.configPath, path), text]);
    const wanted = Object.entries(expected).map(async ([name, file]) => [
      `${name}/hosts.toml`,
      await golden(file),
    ]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(await Promise.all(wanted)));
    expect(planned.every(({ changed }) => changed)).toBe(true);
  });

  test('planHosts() names the certificates of a folder that is a link by their path', async () => {
    const elsewhere = join(folder.root, 'elsewhere');
    await folder.make({
      '../elsewhere/ca.crt': 'PEM',
      '../elsewhere/hosts.toml': "ca = 'ca.crt'\nclient = [['a.cert', '/b.key']]\n",
      '../bare/ca.crt': 'PEM',
      'docker.io': `-> ${elsewhere}`,
      'ghcr.io': '-> ../bare',
    });
    const texts = (await plan({ allRegistries: true })).map(({ text }) => text).join('');
    expect(texts).toContain(`ca = '${elsewhere}/ca.crt'\nclient = [['${elsewhere}/a.cert', '/b.key']]`);
    expect(texts).toContain(`ca = ['${folder.root}/bare/ca.crt']`);
  });

  test('planHosts() throws with the line when a hosts.toml is invalid', async () => {
    await folder.make({ 'docker.io/hosts.toml': 'server = "https://a.example"\nca = \n', 'quay.io/': '' });
    const before = await folder.read();
    const error = await failureOf(folder.configure({ allRegistries: true }));
    expect(error).toBeInstanceOf(HostsConfigError);
    expect((error as Error).message).toBe(
      `Cannot use ${join(folder.configPath, 'docker.io/hosts.toml')}: line 2, column 6: invalid value. Correct it or move it away; nothing was changed`,
    );
    expect(await folder.read()).toEqual(before);
  });

  test.each([
    ['server = 1', 'line 1: server: it has to be a text'],
    ['host = "https://a.example"', 'line 1: host: it has to be a table'],
    ['[host]\n"https://a.example" = true', "line 2: host.'https://a.example': it has to be a table"],
  ])('planHosts() throws when a hosts.toml says %p', async (text, message) => {
    await folder.make({ '_default/hosts.toml': text });
    expect(((await failureOf(plan({ allRegistries: true }))) as Error).message).toContain(message);
  });

  test('planHosts() throws when the file in _backup is invalid', async () => {
    await folder.make({ '_backup/docker.io/hosts.toml': '<html>' });
    const error = await failureOf(plan({ registries: urls('https://docker.io') }));
    expect((error as Error).message).toContain(join('_backup/docker.io/hosts.toml: line 1, column 1'));
  });

  test.each([
    ['no text', 'it is no UTF-8 text', async (path: string) => writeFile(path, Buffer.from([0x61, 0xff]))],
    [
      'a link to nothing',
      'it is a link that leads to nothing that can be seen here; correct it or move it away',
      async (path: string) => symlink('nowhere', path),
    ],
    [
      'a link to itself',
      'its links lead in a circle; move it away',
      async (path: string) => symlink('hosts.toml', path),
    ],
    [
      'a folder',
      'it is a folder',
      async (path: string) => folder.make({ [`${relative(folder.configPath, path)}/`]: '' }),
    ],
  ])('planHosts() throws when a hosts.toml is %s', async (_what, why, put) => {
    await folder.make({ 'docker.io/': '' });
    await put(join(folder.configPath, 'docker.io/hosts.toml'));
    const message = `Cannot read ${join(folder.configPath, 'docker.io/hosts.toml')}: ${why}`;
    for (const present of [{}, { '_backup/docker.io/hosts.toml': THEIRS }]) {
      await folder.make(present);
      const error = await failureOf(plan({ allRegistries: true }));
      expect(error).toBeInstanceOf(HostsConfigError);
      expect((error as Error).message).toContain(message);
    }
  });

  test('planHosts() does not look into files of registries that are not mirrored', async () => {
    await folder.make({ 'quay.io/hosts.toml': '<html>' });
    expect(await plan({ registries: urls('https://docker.io') })).toHaveLength(1);
  });

  test('planHosts() throws when one registry is given with two schemes', async () => {
    const registries = urls('http://registry.lab', 'https://registry.lab');
    expect(await failureOf(plan({ registries }))).toBeInstanceOf(HostsConfigError);
  });

  test('planHosts() throws when the configuration, or _backup, is a file', async () => {
    await writeFile(join(folder.configPath, '_backup'), '');
    const error = await failureOf(plan({ allRegistries: true }));
    expect((error as Error).message).toContain('it is no folder; move it away');
    await rm(folder.configPath, { recursive: true });
    await writeFile(folder.configPath, '');
    const other = await failureOf(plan({ allRegistries: true }));
    expect((other as Error).message).toBe(
      `Cannot read ${folder.configPath}: a part of the path is no folder`,
    );
  });
});
