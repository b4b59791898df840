import { describe, expect, test } from 'bun:test';
import { seal } from '../containerd/hosts-toml-seal.ts';
import { readHostsFolders } from '../containerd/read-hosts-folders.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { checkEarlierFolders, checkHosts, mirrorTargets } from './check-hosts.ts';

const CERTS = '/etc/containerd/certs.d';
const OURS = seal("[host.'http://127.0.0.1:30020']\ncapabilities = ['pull', 'resolve']\n");
const THEIRS = "server = 'https://registry.example'\n";

async function factsOf(files: Readonly<Record<string, string>>, targets: readonly string[] = []) {
  const entries = Object.entries(files).map(([name, text]) => [`${CERTS}/${name}`, text] as const);
  await using folder = await createHostFolder(Object.fromEntries(entries));
  return {
    configPath: CERTS,
    folders: await readHostsFolders(folder.host, CERTS),
    targets,
    mirroredRegistries: [],
    defaultTarget: 'http://127.0.0.1:5000',
  };
}

describe('checkHosts()', () => {
  test.each([
    ['ours for all', { '_default/hosts.toml': OURS }, []],
    [
      'ours for one, another one that is not mirrored',
      { 'a.io/hosts.toml': OURS, 'b.io/hosts.toml': THEIRS },
      [],
    ],
    ['nothing', {}, ['hosts-missing']],
    ['only theirs', { 'a.io/hosts.toml': THEIRS }, ['hosts-missing']],
    [
      'theirs beside all',
      { '_default/hosts.toml': OURS, 'a.io/hosts.toml': THEIRS },
      ['hosts-without-mirror'],
    ],
    [
      'certificates beside all',
      { '_default/hosts.toml': OURS, 'a.io/ca.crt': 'PEM' },
      ['hosts-without-mirror'],
    ],
    [
      'theirs with the mirror in it beside all',
      { '_default/hosts.toml': OURS, 'a.io/hosts.toml': "[host.'http://127.0.0.1:30020/']\n" },
      [],
    ],
    [
      'the other form of a port',
      { 'a.io:5000/hosts.toml': OURS, 'a.io_5000_/hosts.toml': THEIRS },
      ['hosts-shadowed'],
    ],
    [
      'the other form of a port, hidden',
      { 'a.io_5000_/hosts.toml': OURS, 'a.io:5000/hosts.toml': THEIRS },
      [],
    ],
    ['no TOML', { '_default/hosts.toml': OURS, 'a.io/hosts.toml': '[' }, ['hosts-invalid']],
    [
      'a server for all',
      { '_default/hosts.toml': `${THEIRS}${OURS}`, 'a.io/hosts.toml': OURS },
      ['default-with-server'],
    ],
    [
      '_backup and what was being written',
      { '_default/hosts.toml': OURS, '_backup/a.io/hosts.toml': THEIRS },
      [],
    ],
  ])('finds in %s what hides the mirror', async (_what, files, ids) => {
    const { findings } = checkHosts(await factsOf(files));
    expect(findings.map(({ id }) => id)).toEqual(ids);
  });

  test('finds files that were written for another target than the one that is given', async () => {
    const facts = await factsOf({ '_default/hosts.toml': OURS }, ['http://10.0.0.1:30021']);
    expect(checkHosts(facts).findings).toMatchObject([
      {
        id: 'hosts-stale',
        mend: [
          {
            do: 'run',
            command: `spegel configure --containerd-registry-config-path ${CERTS} --mirror-targets http://10.0.0.1:30021`,
          },
        ],
      },
    ]);
  });

  test('mirrorTargets() are what configure has written first', async () => {
    expect(mirrorTargets(await factsOf({ '_default/hosts.toml': OURS }))).toEqual(['http://127.0.0.1:30020']);
    expect(mirrorTargets(await factsOf({}))).toEqual(['http://127.0.0.1:5000']);
  });
});

test('checkEarlierFolders() finds folders of a config_path that come first', async () => {
  const facts = await factsOf({ '_default/hosts.toml': OURS });
  const other = await factsOf({ 'a.io/hosts.toml': THEIRS });
  const earlier = [{ configPath: '/etc/first', folders: other.folders }];
  expect(checkEarlierFolders(facts, earlier).findings.map(({ id }) => id)).toEqual(['config-path-shadowed']);
});
