import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CONFIG_CASES } from '../../src/containerd-config/config-cases.fixture.ts';
import {
  type ContainerdVersion,
  parseContainerdVersion,
} from '../../src/containerd-config/containerd-version.ts';
import { readCriSettings } from '../../src/containerd-config/cri-settings.ts';
import { readEffectiveConfig } from '../../src/containerd-config/effective-config.ts';
import { DISTRIBUTIONS } from '../../src/doctor/distribution.ts';
import { fixKey } from '../../src/doctor/fix-config.ts';
import { createHostRoot } from '../../src/runtime/host-root.ts';
import { parseContainerdVersion as findVersion } from '../lab/containerd-config.ts';
import { runCommand } from '../lab/run-command.ts';
import { containerdBinary, containerdMajor } from './test-lab.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-config-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const isNew = containerdMajor() >= 2;
const CRI = 'plugins."io.containerd.grpc.v1.cri"';
const IMAGES = 'plugins."io.containerd.cri.v1.images"';
/** The path of config.toml's folder, in the files below. */
const HERE = '@here@';

const CASES: ReadonlyArray<readonly [what: string, files: Readonly<Record<string, string>>]> = [
  ['nothing but a version', { 'config.toml': 'version = 2\n' }],
  ['no version', { 'config.toml': '[plugins.cri.registry]\nconfig_path = "/v1"\n' }],
  [
    'version 2',
    {
      'config.toml': `version = 2\nroot = "/r"\n[${CRI}.registry]\nconfig_path = "/a:/b"\n[${CRI}.containerd]\ndiscard_unpacked_layers = true\nsnapshotter = "native"\n`,
    },
  ],
  [
    'version 2 with a runtime',
    {
      'config.toml': `version = 2\n[${CRI}.containerd]\ndiscard_unpacked_layers = true\nsnapshotter = "native"\n[${CRI}.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n`,
    },
  ],
  [
    'a wildcard, later files win',
    {
      'config.toml': `version = 2\nimports = ["${HERE}/d/*.toml"]\n[${CRI}.registry]\nconfig_path = "/main"\n`,
      'd/1.toml': `version = 2\n[${CRI}.registry]\nconfig_path = "/one"\n`,
      'd/2.toml': `version = 2\n[${CRI}.registry]\nconfig_path = "/two"\n`,
      'd/3.conf': `version = 2\n[${CRI}.registry]\nconfig_path = "/three"\n`,
    },
  ],
  [
    'an import with another key of the same plugin',
    {
      'config.toml': `version = 2\nimports = ["${HERE}/more.toml"]\n[${CRI}.registry]\nconfig_path = "/main"\n`,
      'more.toml': `version = 2\n[${CRI}.containerd]\nsnapshotter = "native"\n`,
    },
  ],
  [
    'imports of imports, in breadth, relative and in a circle',
    {
      'config.toml': `version = 2\nimports = ["a.toml", "b.toml"]\n[${CRI}.registry]\nconfig_path = "/main"\n`,
      'a.toml': `version = 2\nimports = ["c.toml", "config.toml"]\n[${CRI}.registry]\nconfig_path = "/a"\n`,
      'b.toml': `version = 2\n[${CRI}.registry]\nconfig_path = "/b"\n`,
      'c.toml': `version = 2\n[${CRI}.registry]\nconfig_path = "/c"\n`,
    },
  ],
  ...(isNew
    ? ([
        [
          'version 3',
          {
            'config.toml': `version = 3\n[${IMAGES}]\ndiscard_unpacked_layers = true\n[${IMAGES}.registry]\nconfig_path = "/a"\n`,
          },
        ],
        [
          'version 3 with the section of 1.x',
          { 'config.toml': `version = 3\n[${CRI}.registry]\nconfig_path = "/a"\n` },
        ],
        [
          'a false that comes after a true',
          {
            'config.toml': `version = 3\nimports = ["b.toml"]\n[${IMAGES}]\ndiscard_unpacked_layers = true\n`,
            'b.toml': `version = 3\n[${IMAGES}]\ndiscard_unpacked_layers = false\n`,
          },
        ],
        [
          'an import of version 2',
          {
            'config.toml': `version = 3\nimports = ["b.toml"]\n[${IMAGES}.registry]\nconfig_path = "/a"\n`,
            'b.toml': `version = 2\n[${CRI}.registry]\nconfig_path = "/b"\n`,
          },
        ],
        [
          'an import without a version',
          {
            'config.toml': `version = 3\nimports = ["b.toml"]\n[${IMAGES}.registry]\nconfig_path = "/a"\n`,
            'b.toml': `[plugins.cri.registry]\nconfig_path = "/b"\n`,
          },
        ],
      ] as const)
    : []),
];

test.each(CASES)('readEffectiveConfig() takes what containerd itself takes from %s', async (_what, files) => {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text.replaceAll(HERE, folder));
  }
  const path = join(folder, 'config.toml');
  const dumped = await runCommand([containerdBinary(), '--config', path, 'config', 'dump']);
  await writeFile(join(folder, 'dumped.toml'), dumped.replace(/^imports = .*$/m, ''));

  const version = await containerdVersion();
  const read = async (file: string) => {
    const settings = readCriSettings(await readEffectiveConfig(createHostRoot('/'), file, version), version);
    const { root, socket, configPath, discardUnpackedLayers, snapshotters, mirrors, usesTransferService } =
      settings;
    return {
      root: root.value,
      socket: socket.value,
      configPath: configPath.value,
      discardUnpackedLayers: discardUnpackedLayers.value,
      snapshotter: snapshotters[0]?.value,
      mirrors,
      usesTransferService,
    };
  };
  expect(await read(path)).toEqual(await read(join(folder, 'dumped.toml')));
});

test.each(CONFIG_CASES.map((each) => [each.what, each.files, each[isNew ? 'new' : 'old']] as const))(
  'containerd itself takes from %s what the table says',
  async (_what, files, outcome) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    const dump = runCommand([containerdBinary(), '--config', join(folder, 'config.toml'), 'config', 'dump']);
    if (outcome === 'refused') {
      const refusal = await dump.then(
        () => undefined,
        (error: unknown) => String(error),
      );
      expect(refusal).toContain('containerd: ');
      return;
    }
    const dumped = (await dump).replaceAll("'", '"');
    const section = isNew ? `[${IMAGES}.registry]` : `[${CRI}.registry]`;
    const registry = dumped.slice(dumped.indexOf(section)).split('\n').slice(1);
    const configPath = /^ *config_path = "(.*)"$/m.exec(registry.join('\n'))?.[1];
    expect(dumped.includes(section) ? configPath : '').toBe(outcome.configPath ?? '');
    const off = /^disabled_plugins = \[(.*)\]$/m.exec(dumped)?.[1] ?? '';
    const hasSection = dumped.includes(`[${CRI}]`) || dumped.includes(`[${IMAGES}]`);
    expect([off, hasSection]).toEqual([off, outcome.isOff !== true || isNew]);
    const isOff = isNew ? /\.cri"|cri\.v1/.test(off) : !hasSection;
    expect(isOff).toBe(outcome.isOff ?? false);
    expect(/^ *address = "(\/z)"$/m.exec(dumped)?.[1]).toBe(outcome.socket);
    const ofRuntimes = Array.from(dumped.matchAll(/^ *snapshotter = "(nydus)"$/gm), ([, name = '']) => name);
    expect(new Set(ofRuntimes)).toEqual(new Set(outcome.ofRuntimes));
    expect(/^ *discard_unpacked_layers = true$/m.test(dumped)).toBe(outcome.discards ?? false);
  },
);

test.each([
  ['plain', 'registry', 'config_path', '"/a"'],
  ['plain', 'images', 'discard_unpacked_layers', 'true'],
  ['k0s', 'registry', 'config_path', '"/a"'],
  ['k0s', 'images', 'discard_unpacked_layers', 'true'],
] as const)('containerd takes the file that %s is told to write for %s %s', async (id, table, key, value) => {
  const version = await containerdVersion();
  const path = join(folder, 'config.toml');
  const config = await readEffectiveConfig(createHostRoot('/'), path, version);
  const settings = readCriSettings(config, version);
  const now = { value: undefined, origin: undefined };
  const context = { config, settings, version, distribution: DISTRIBUTIONS[id] };
  const [step] = fixKey(context, { table: settings.paths[table], key, value, now });
  if (step?.do !== 'write') throw new Error(`Not a file to write: ${JSON.stringify(step)}`);
  await writeFile(path, step.lines.join('\n'));
  const dumped = await runCommand([containerdBinary(), '--config', path, 'config', 'dump']);
  expect(dumped.replaceAll("'", '"')).toContain(` ${key} = ${value}\n`);
});

async function containerdVersion(): Promise<ContainerdVersion> {
  const version = parseContainerdVersion(
    findVersion(await runCommand([containerdBinary(), '--version'])).version,
  );
  if (version === undefined) throw new Error('containerd tells no version');
  return version;
}
