import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HostsConfigError } from '../mirror-config/hosts-config.ts';
import { createHostsFolder, type HostsFolder } from '../mirror-config/hosts-folder.fixture.ts';
import { originalConfiguration } from '../mirror-config/hosts-original.fixture.ts';
import { restoreHosts } from '../mirror-config/hosts-restore.ts';
import { createLogger } from '../observe/log.ts';
import { type ConfigureOptions, runConfigure } from './configure.ts';

let folder: HostsFolder;

beforeEach(async () => {
  folder = await createHostsFolder();
});
afterEach(async () => folder[Symbol.asyncDispose]());

async function configure(changes: Partial<ConfigureOptions> = {}) {
  const out: string[] = [];
  const log: string[] = [];
  const logger = createLogger({ level: 'info', write: (line) => void log.push(line) });
  const { authorization: _, ...config } = folder.config({ allRegistries: true });
  await runConfigure(
    { ...config, basicAuthDir: join(folder.root, 'basic-auth'), dryRun: false, ...changes },
    {
      logger,
      writeOut: (text) => void out.push(text),
    },
  );
  return { out: out.join(''), log: log.join('') };
}

describe('runConfigure()', () => {
  test('runConfigure() prints a diff and changes nothing in a dry run', async () => {
    await folder.make({
      'docker.io/hosts.toml': "server = 'https://registry-1.docker.io'\n[host.'https://cache.example']\n",
    });
    const before = await folder.read();
    const { out } = await configure({ dryRun: true, prependExisting: true });
    expect(await folder.read()).toEqual(before);
    const path = join(folder.configPath, 'docker.io/hosts.toml');
    expect(out).toStartWith(`# copy ${folder.configPath} to ${folder.configPath}/_backup\n--- /dev/null\n`);
    expect(out).toContain(`--- ${path}\n+++ ${path}\n@@ -1,2 +1,8 @@\n`);
    expect(out).toContain("+[host.'http://10.0.0.1:30020']\n");
    expect(out).toContain(" [host.'https://cache.example']\n");
  });

  test('runConfigure() prints every kind of change in a dry run', async () => {
    await folder.make({
      'docker.io/hosts.toml': "server = 'https://registry-1.docker.io'\n",
      'docker.io/own.key': '0600 KEY',
      'ghcr.io': '-> docker.io',
    });
    await configure();
    await folder.make({ 'late.txt': 'late' });
    const named = { allRegistries: false, registries: [{ scheme: 'https', host: 'quay.io' }] } as const;
    const { out } = await configure({ ...named, dryRun: true });
    const { configPath } = folder;
    expect(out).toContain(`# copy ${configPath}/late.txt to ${configPath}/_backup/late.txt\n`);
    expect(out).toContain(
      `# remove ${configPath}/_default\n--- ${configPath}/_default/hosts.toml\n+++ /dev/null\n`,
    );
    expect(out).toContain(
      `# put the link ${configPath}/_backup/ghcr.io in the place of ${configPath}/ghcr.io\n`,
    );
    expect(out).toContain("\n-[host.'http://10.0.0.1:30020']\n");
    await originalConfiguration(configPath, { registries: ['_default'], target: 'http://10.0.0.1:30020' });
    const after = await configure({ ...named, dryRun: true });
    expect(after.out).toContain(`# copy ${configPath}/_backup/docker.io to ${configPath}/docker.io\n`);
  });

  test('runConfigure() prints nothing in a dry run when nothing is to be done', async () => {
    await configure();
    expect((await configure({ dryRun: true })).out).toBe('');
  });

  test('runConfigure() names links to nothing, which it leaves alone', async () => {
    await folder.make({ 'quay.io': '-> ../shared', 'docker.io/': '0755' });
    const { log } = await configure();
    expect(await folder.read()).toMatchObject({ 'certs.d/quay.io': '-> ../shared' });
    expect(log).toContain('this link leads to nothing that can be seen here');
    expect(log).toContain(`"path":"${join(folder.configPath, 'quay.io')}"`);
    await folder.make({ '../shared/': '0755' });
    expect((await configure()).log).not.toContain('this link leads to nothing');
  });

  test('runConfigure() reads basic auth and does not print it', async () => {
    await mkdir(join(folder.root, 'basic-auth'));
    await writeFile(join(folder.root, 'basic-auth/username'), 'user');
    await writeFile(join(folder.root, 'basic-auth/password'), 'pass');
    expect((await configure({ dryRun: true })).out).not.toContain('dXNlcjpwYXNz');
    await configure();
    expect(await folder.text('_default/hosts.toml')).toContain("Authorization = 'Basic dXNlcjpwYXNz'");
    await rm(join(folder.root, 'basic-auth'), { recursive: true });
    const { out } = await configure({ dryRun: true });
    expect(out).toContain("-Authorization = '(not shown)'");
  });

  test('runConfigure() says that it has made the folder, and not that containerd reads it', async () => {
    const configPath = join(folder.root, 'etc/certs.d');
    expect((await configure({ configPath, dryRun: true })).out).toStartWith(`# make ${configPath}: `);
    const first = await configure({ configPath });
    const made = first.log.split('\n').filter((line) => line.includes('"level":"WARN"'));
    expect(made).toHaveLength(1);
    expect(JSON.parse(made[0] ?? '')).toMatchObject({
      msg: expect.stringMatching(/this folder was not there.+config_path names it.+spegel doctor/),
      path: configPath,
    });
    const second = await configure({ configPath });
    expect(second.log).not.toContain('"level":"WARN"');
    expect(first.log + second.log).not.toContain('is configured');
  });

  test('runConfigure() logs what it wrote and what it kept', async () => {
    await configure();
    await folder.make({ 'late.txt': 'late' });
    const { log } = await configure();
    expect(log).toContain('"msg":"hosts.toml is up to date"');
    expect(log).toContain('"what":"save","path":"late.txt"');
  });

  test.each([
    ['somebody has configured', { 'docker.io/hosts.toml': "server = 'https://registry-1.docker.io'\n" }],
    ['is not there', undefined],
  ])('runConfigure() waits for another run, where a folder %s', async (_what, tree) => {
    for (let trial = 0; trial < 5; trial += 1) {
      const configPath = join(folder.root, `${trial}`, 'certs.d');
      if (tree !== undefined) {
        for (const [name, text] of Object.entries(tree)) {
          await folder.make({ [`../${trial}/certs.d/${name}`]: text });
        }
      }
      const before = await folder.read();
      await Promise.all([1, 2, 3].map(async () => configure({ configPath })));
      const { log } = await configure({ configPath });
      expect(log).not.toContain('"what":');
      await restoreHosts(configPath);
      const after = await folder.read();
      delete (after as Record<string, string>)[`${trial}/`];
      delete (after as Record<string, string>)[`${trial}/certs.d/`];
      const { [`${trial}/`]: _folder, [`${trial}/certs.d/`]: _configPath, ...expected } = before;
      expect(after).toEqual(expected);
    }
  });

  test.each(['FIFO', 'socket', 'device'])(
    'runConfigure() names a hosts.toml that is a %s, and does not wait',
    async (kind) => {
      await folder.make({ 'docker.io/': '0755', 'quay.io/': '0755' });
      const path = join(folder.configPath, 'docker.io/hosts.toml');
      const server = kind === 'socket' ? Bun.listen({ unix: path, socket: { data: () => {} } }) : undefined;
      if (kind === 'FIFO') Bun.spawnSync(['mkfifo', path]);
      if (kind === 'device') await symlink('/dev/zero', path);
      try {
        for (const dryRun of [true, false]) {
          const error: unknown = await configure({ dryRun }).catch((error: unknown) => error);
          expect(error).toBeInstanceOf(HostsConfigError);
          expect((error as Error).message).toBe(
            `Cannot read ${path}: it is a ${kind}, not a file; move it away. Nothing was changed`,
          );
        }
        expect((await readdir(folder.configPath)).sort()).toEqual(['docker.io', 'quay.io']);
      } finally {
        server?.stop(true);
      }
    },
  );
});
