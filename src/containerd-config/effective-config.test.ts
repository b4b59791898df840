import { expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { CONFIG_CASES } from './config-cases.fixture.ts';
import { describeOrigin, readCriSettings } from './cri-settings.ts';
import { readEffectiveConfig } from './effective-config.ts';

const FILE = '/etc/containerd/config.toml';

for (const [name, version] of [
  ['old', { major: 1, minor: 6 }],
  ['new', { major: 2, minor: 3 }],
] as const) {
  test.each(CONFIG_CASES.map((each) => [each.what, each.files, each[name]] as const))(
    `readEffectiveConfig() takes what containerd ${version.major}.${version.minor} takes from %s`,
    async (_what, files, outcome) => {
      const entries = Object.entries(files).map(([name, text]) => [`/etc/containerd/${name}`, text]);
      await using folder = await createHostFolder(Object.fromEntries(entries));
      const config = await readEffectiveConfig(folder.host, FILE, version);
      const settings = readCriSettings(config, version);
      if (config.problems.length + config.refusals.length > 0) {
        expect([...config.refusals.map(({ why }) => why), ...config.problems, outcome].at(-1)).toBe(
          'refused',
        );
        return;
      }
      const [, ...ofRuntimes] = settings.snapshotters.map(({ value }) => value);
      const isDefault = settings.configPath.origin === undefined;
      expect({
        configPath: isDefault ? '' : settings.configPath.value,
        discards: settings.discardUnpackedLayers.value,
        socket: settings.socket.value,
        isOff: settings.disabledBy.length > 0,
        ofRuntimes,
      }).toEqual({
        configPath: '',
        discards: false,
        socket: '/run/containerd/containerd.sock',
        isOff: false,
        ofRuntimes: [],
        ...(outcome as object),
      });
    },
  );
}

test('readEffectiveConfig() says where it is what containerd refuses', async () => {
  const text =
    'version = 2\n\n[plugins.cri]\nsandbox_image = "x"\n[plugins."io.containerd.grpc.v1.cri".registry]\nCONFIG_PATH = 1\n';
  await using folder = await createHostFolder({ [FILE]: text });
  const config = await readEffectiveConfig(folder.host, FILE, { major: 1, minor: 7 });
  expect(config.refusals.map(({ origin }) => describeOrigin(config, origin))).toEqual([
    `${FILE}:6`,
    `${FILE}:3`,
  ]);
});

test.each([
  [1, 7, 'version = 3\n', true],
  [2, 2, 'version = 4\n', true],
  [2, 2, 'version = 3\n', false],
])(
  'readEffectiveConfig() of %d.%d, whose own file has %j, refuses it: %p',
  async (major, minor, text, isRefused) => {
    await using folder = await createHostFolder({ [FILE]: text });
    const { refusals } = await readEffectiveConfig(folder.host, FILE, { major, minor });
    expect(refusals.length > 0).toBe(isRefused);
  },
);

test('readEffectiveConfig() of 2.2 takes a drop-in of a higher version', async () => {
  await using folder = await createHostFolder({
    [FILE]: 'version = 2\nimports = ["a.toml"]\n',
    '/etc/containerd/a.toml': 'version = 3\n',
  });
  expect((await readEffectiveConfig(folder.host, FILE, { major: 2, minor: 2 })).refusals).toEqual([]);
});
