import { expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINE_SETTINGS } from '../../src/runtime/engine-settings.ts';
import { LIBRARIES } from './base-files.ts';

const root = join(import.meta.dir, '../..');
const read = async (path: string) => readFile(join(root, path), 'utf8');

/** What `bun build` in a script compiles, and its flags, without what differs from run to run. */
function buildArguments(text: string): string[] {
  const [command = ''] = /bun build bin\/spegel\.ts(?:[^\n]*\\\n)*[^\n]*/.exec(text) ?? [];
  const modules = [...command.matchAll(/[a-z-/]+\.ts/g)].map(([module]) => module);
  const flags = [...command.matchAll(/--[a-z-]+(?:=[a-z]+)?/g)]
    .map(([flag]) => flag.replace(/^--target.*/, '--target'))
    .sort();
  return [...modules, ...flags];
}

/** As Dockerfiles and systemd units have them. */
function formatSettings(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

test('deploy/Dockerfile compiles as scripts/build does, for the same runtimes', async () => {
  const [dockerfile, script] = [await read('deploy/Dockerfile'), await read('scripts/build')];
  const given = buildArguments(script);
  // Workers are modules of their own.
  expect(given.slice(0, 3)).toEqual([
    'bin/spegel.ts',
    'src/http/kernel/mover-thread.ts',
    'src/integrity/hash-thread.ts',
  ]);
  expect(given).toContain('--no-compile-autoload-bunfig');
  expect(buildArguments(dockerfile)).toEqual(given);
  expect(dockerfile).toContain('amd64) target=bun-linux-x64-baseline');
  expect(dockerfile).toContain('arm64) target=bun-linux-arm64');
  expect(script).toContain('[[ $processor != x64 ]] || target+=-baseline');
});

test('deploy/Dockerfile takes the libraries of scripts/image, the same settings, and the Bun of package.json', async () => {
  const dockerfile = await read('deploy/Dockerfile');
  const { engines } = JSON.parse(await read('package.json')) as { engines: { bun: string } };
  const [, loop = ''] = /for name in "\$\(basename "\$loader"\)" ([^;]+);/.exec(dockerfile) ?? [];
  const names = loop.split(/[\s\\]+/).filter((name) => name !== '');
  expect(names).toContain('libc.so.6');
  for (const name of names) expect(name).toMatch(LIBRARIES);
  const alternatives = ['libc', 'libm', 'libpthread', 'libdl', 'libresolv', 'libnss_dns', 'libnss_files'];
  expect(names.map((name) => name.replace(/\.so.*/, ''))).toEqual(alternatives);
  expect(alternatives.every((name) => LIBRARIES.test(`${name}.so.6`))).toBe(true);
  const layout = await read('scripts/oci-image/image-layout.ts');
  expect(dockerfile).toContain(`ARG BUN_VERSION=${engines.bun}\n`);
  for (const [instruction, setting] of [
    ['ENV PATH=/ SSL_CERT_FILE=', "'PATH=/',\n          'SSL_CERT_FILE="],
    [`ENV ${formatSettings(ENGINE_SETTINGS)}\n`, 'Object.entries(ENGINE_SETTINGS)'],
    ['USER 0:0', "User: '0:0'"],
    ['WORKDIR /\n', "WorkingDir: '/'"],
    ['ENTRYPOINT ["/spegel"]', "Entrypoint: ['/spegel']"],
  ] as const) {
    expect(dockerfile).toContain(instruction);
    expect(layout).toContain(setting);
  }
});
