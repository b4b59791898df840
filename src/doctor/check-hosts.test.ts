import { describe, expect, test } from 'bun:test';
import { seal } from '../mirror-config/hosts-toml-seal.ts';
import { readHostsFolders } from '../mirror-config/read-hosts-folders.ts';
import type { HostRoot } from '../runtime/host-root.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { checkEarlierFolders, checkHosts } from './check-hosts.ts';
import { type DistributionId, DISTRIBUTIONS } from './distribution.ts';
import { type HostsFacts, isTargetAssumed, mirrorTargets } from './mirror-targets.ts';

const CERTS = '/etc/containerd/certs.d';
const OURS = seal("[host.'http://127.0.0.1:30020']\ncapabilities = ['pull', 'resolve']\n");
const STATIC = '[host."http://127.0.0.1:30020"]\n';
const THEIRS = "server = 'https://registry.example'\n";

async function factsOf(
  files: Readonly<Record<string, string>>,
  targets: readonly string[] = [],
  more: Partial<HostsFacts> = {},
): Promise<HostsFacts> {
  const entries = Object.entries(files).map(([name, text]) => [`${CERTS}/${name}`, text] as const);
  await using folder = await createHostFolder(Object.fromEntries(entries));
  return {
    configPath: CERTS,
    folders: await readHostsFolders(folder.host, CERTS, { major: 2, minor: 3 }),
    targets,
    mirroredRegistries: [],
    defaultTarget: 'http://127.0.0.1:5000',
    nodeAddresses: [],
    distribution: DISTRIBUTIONS.plain,
    ...more,
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

  test.each<[what: string, files: Readonly<Record<string, string>>, ids: string[]]>([
    ['one registry', { 'docker.io/hosts.toml': STATIC }, []],
    ['all', { '_default/hosts.toml': STATIC, 'a.io/hosts.toml': STATIC }, []],
    ['another form of the URL', { '_default/hosts.toml': STATIC.replace('30020', '30020/v2') }, []],
    [
      'all, beside a registry without it',
      { '_default/hosts.toml': STATIC, 'a.io/hosts.toml': THEIRS },
      ['hosts-without-mirror'],
    ],
    ['one registry, beside another one', { 'docker.io/hosts.toml': STATIC, 'a.io/hosts.toml': THEIRS }, []],
    ['an IPv6 address', { '_default/hosts.toml': '[host."http://[::1]:30020"]\n' }, []],
    ['an address of the node', { '_default/hosts.toml': '[host."http://10.0.0.7:30020"]\n' }, []],
    [
      'a registry on this node, which is not its own mirror',
      { 'localhost:5001/hosts.toml': '[host."http://localhost:5001"]\n' },
      ['hosts-missing'],
    ],
    [
      'another program on this node, below a path',
      { '_default/hosts.toml': '[host."http://127.0.0.1:5555/proxy"]\n' },
      ['hosts-missing'],
    ],
    ['no host of the node', { '_default/hosts.toml': '[host."http://10.0.0.8:30020"]\n' }, ['hosts-missing']],
    ['no host at all', { 'a.io/hosts.toml': THEIRS }, ['hosts-missing']],
  ])('judges files that something else writes by their hosts: %s', async (_what, files, ids) => {
    const { findings } = checkHosts(await factsOf(files, [], { nodeAddresses: ['10.0.0.7'] }));
    expect(findings.map(({ id }) => id)).toEqual(ids);
  });

  test('takes the target from files that something else writes, and asks to be told where none is on the node', async () => {
    const known = await factsOf({ 'docker.io/hosts.toml': STATIC });
    expect([mirrorTargets(known), isTargetAssumed(known)]).toEqual([['http://127.0.0.1:30020'], false]);
    const below = await factsOf({ 'docker.io/hosts.toml': STATIC.replace('30020', '30020/v2/') });
    expect(mirrorTargets(below)).toEqual(['http://127.0.0.1:30020']);
    expect(mirrorTargets(await factsOf({}, ['http://a:30020/v2']))).toEqual(['http://a:30020']);
    const open = await factsOf({ '_default/hosts.toml': '[host."http://u:secret@10.0.0.8:30020"]\n' });
    const [finding] = checkHosts(open).findings;
    expect(finding).toMatchObject({
      id: 'hosts-missing',
      severity: 'warning',
      seen: [`${CERTS}: folders of _default`, `${CERTS}/_default/hosts.toml: http://…@10.0.0.8:30020`],
    });
    expect(finding?.fix.at(-1)).toMatchObject({
      command: expect.stringContaining('--mirror-targets http://127.0.0.1:<port>'),
    });
  });

  test.each<[DistributionId, readonly string[], unknown]>([
    [
      'plain',
      ['http://10.0.0.1:30020'],
      { do: 'run', command: expect.stringContaining('http://10.0.0.1:30020') },
    ],
    [
      'bottlerocket',
      [],
      { do: 'note', lines: expect.arrayContaining(['endpoint = ["http://127.0.0.1:<port>"]']) },
    ],
    [
      'bottlerocket',
      ['http://127.0.0.1:30020'],
      { do: 'note', lines: expect.arrayContaining(['endpoint = ["http://127.0.0.1:30020"]']) },
    ],
  ])('tells %s with targets %j what writes the files there', async (id, targets, step) => {
    const { findings } = checkHosts(await factsOf({}, targets, { distribution: DISTRIBUTIONS[id] }));
    expect(findings[0]?.fix).toMatchObject([step]);
  });

  test.each<[what: string, files: Readonly<Record<string, string>>, ids: string[]]>([
    ['a file in place of a folder', { 'docker.io': OURS }, ['hosts-unopenable']],
    ['a folder in place of a file', { 'docker.io/hosts.toml/x': '' }, ['hosts-unopenable']],
    ['files that lie beside the folders', { 'README.md': '', 'ca.crt': '', 'a.io.bak': '', '.keep': '' }, []],
    ['a file with a name that no registry has', { README: '', Makefile: '' }, []],
    ['a link to nothing', { 'docker.io': '-> nowhere' }, []],
    ['a link to itself', { 'docker.io': '-> docker.io' }, ['hosts-unopenable']],
    ['a link to itself as the file', { 'a.io/hosts.toml': '-> hosts.toml' }, ['hosts-unopenable']],
    [
      'a link to itself that no registry has, beside a file that is no TOML',
      { own: '-> own', 'a.io/hosts.toml': '[' },
      ['hosts-invalid'],
    ],
    ['the host of Docker Hub', { 'registry-1.docker.io/hosts.toml': THEIRS }, ['hosts-folder-unread']],
    ['the index of Docker Hub', { 'index.docker.io/hosts.toml': OURS }, ['hosts-folder-unread']],
    ['the default without its line', { 'default/hosts.toml': OURS }, ['hosts-folder-unread']],
    ['a name without a dot', { 'docker/hosts.toml': THEIRS }, ['hosts-folder-unread']],
    ['this machine', { 'localhost/hosts.toml': OURS }, []],
    ['a port that names need not have', { 'reg.example:443/hosts.toml': OURS }, ['hosts-folder-unread']],
    ['that port in the other form', { 'reg.example_443_/hosts.toml': OURS }, ['hosts-folder-unread']],
    ['both', { 'reg.example:443/hosts.toml': OURS, 'reg.example/hosts.toml': OURS }, []],
    ['another port', { 'reg.example:5000/hosts.toml': OURS }, []],
    [
      'the registry before the mirror',
      { 'a.io/hosts.toml': `[host."https://a.io"]\n${STATIC}` },
      ['hosts-mirror-late'],
    ],
    [
      'the server before the mirror',
      { 'a.io/hosts.toml': `server = "https://b.io"\n[host."https://b.io/v2"]\n${STATIC}` },
      ['hosts-mirror-late'],
    ],
    [
      'Docker Hub before the mirror',
      { 'docker.io/hosts.toml': `[host."https://registry-1.docker.io"]\n${STATIC}` },
      ['hosts-mirror-late'],
    ],
    ['a cache before the mirror', { 'a.io/hosts.toml': `[host."https://cache.example"]\n${STATIC}` }, []],
    ['the registry after the mirror', { 'a.io/hosts.toml': `${STATIC}[host."https://a.io"]\n` }, []],
    [
      'the mirror as server',
      { 'a.io/hosts.toml': 'server = "http://127.0.0.1:30020"\n' },
      ['hosts-server-is-mirror'],
    ],
    [
      'the mirror as server and host',
      { 'a.io/hosts.toml': `server = "http://127.0.0.1:30020/v2"\n${STATIC}` },
      ['hosts-server-is-mirror'],
    ],
    [
      'a duration without a unit',
      { 'a.io/hosts.toml': `${STATIC}dial_timeout = "200"\n` },
      ['hosts-invalid'],
    ],
    ['a byte order mark', { 'a.io/hosts.toml': `\u{feff}${STATIC}` }, ['hosts-invalid']],
    ['an unknown capability', { 'a.io/hosts.toml': `${STATIC}capabilities = ["pul"]\n` }, ['hosts-invalid']],
    [
      'hosts that are no tables, of which containerd 2.x cannot read a flag',
      { 'a.io/hosts.toml': `[host]\nx.header.a = "1"\nx.skip_verify = true\n` },
      ['hosts-crash'],
    ],
    [
      'a server in capitals that is the mirror',
      { 'a.io/hosts.toml': 'SERVER = "http://127.0.0.1:30020"\n' },
      ['hosts-without-mirror'],
    ],
    ['a flag as text', { 'a.io/hosts.toml': `skip_verify = "true"\n${STATIC}` }, ['hosts-invalid']],
    ['a URL that is none', { 'a.io/hosts.toml': `server = "https://a b"\n${STATIC}` }, ['hosts-invalid']],
  ])('finds, beside ours for all, of %s', async (_what, files, ids) => {
    const { findings } = checkHosts(await factsOf({ '_default/hosts.toml': OURS, ...files }));
    expect(findings.map(({ id }) => id)).toEqual(ids);
  });

  test('finds that containerd 1.x ignores a file without hosts, whose folder hides the one for all all the same', async () => {
    const files = { '_default/hosts.toml': OURS, 'a.io/hosts.toml': THEIRS };
    const entries = Object.entries(files).map(([name, text]) => [`${CERTS}/${name}`, text] as const);
    await using folder = await createHostFolder(Object.fromEntries(entries));
    const old = { major: 1, minor: 7 };
    const check = async (isVersionKnown: boolean) => {
      const folders = await readHostsFolders(folder.host, CERTS, old, { isVersionKnown });
      const { findings } = checkHosts({ ...(await factsOf({})), folders });
      return findings.map(({ id, severity }) => [id, severity]);
    };
    expect(await check(true)).toEqual([
      ['hosts-invalid', 'warning'],
      ['hosts-without-mirror', 'error'],
    ]);
    expect(await check(false)).toEqual([['hosts-without-mirror', 'error']]);
  });

  test('finds a file in place of the folder for all', async () => {
    const { findings } = checkHosts(await factsOf({ _default: STATIC }));
    expect(findings.map(({ id }) => id)).toEqual(['hosts-unopenable', 'hosts-missing']);
  });

  test('finds that containerd takes no notice of the only file, and not that it is missing', async () => {
    const { findings } = checkHosts(await factsOf({ '_default/hosts.toml': `\u{feff}${STATIC}` }));
    expect(findings.map(({ id, seen }) => [id, seen])).toEqual([
      [
        'hosts-invalid',
        [
          `${CERTS}/_default/hosts.toml: line 1: a byte order mark, which containerd 2.x does not take: save the file without it`,
        ],
      ],
    ]);
  });

  test('goes on without a file that may not be read, and does not say that the mirror is nowhere', async () => {
    const files = { '_default/hosts.toml': OURS, 'a.io/hosts.toml': THEIRS, 'b.io/hosts.toml': OURS };
    await using folder = await createHostFolder(
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`${CERTS}/${name}`, text])),
    );
    const { host } = folder;
    const denying = (denied: readonly string[]) => ({
      ...host,
      readText: async (path: string) => {
        if (!denied.some((name) => path.startsWith(`${CERTS}/${name}/`))) return host.readText(path);
        throw Object.assign(new Error('denied'), { code: 'EACCES' });
      },
    });
    const facts = await factsOf({});
    const checkWithout = async (...denied: readonly string[]) => {
      const folders = await readHostsFolders(denying(denied), CERTS, { major: 2, minor: 3 });
      const { findings, unknown } = checkHosts({ ...facts, folders });
      return { ids: findings.map(({ id }) => id), unknown };
    };
    expect(await checkWithout('b.io')).toEqual({
      ids: ['hosts-without-mirror'],
      unknown: [`${CERTS}/b.io/hosts.toml was not looked at: this user may not read it; run as root`],
    });
    expect((await checkWithout('_default', 'b.io')).ids).toEqual([]);

    const kind: HostRoot['kind'] = async (path) => {
      if (path !== `${CERTS}/b.io`) return host.kind(path);
      throw Object.assign(new Error('denied'), { code: 'EACCES' });
    };
    const folders = await readHostsFolders({ ...host, kind }, CERTS, { major: 2, minor: 3 });
    const { findings, unknown } = checkHosts({ ...facts, folders });
    expect(findings.map(({ id }) => id)).toEqual(['hosts-without-mirror']);
    expect(unknown).toEqual([`${CERTS}/b.io was not looked at: this user may not read it; run as root`]);
  });

  test('finds files that were written for another target than the one that is given', async () => {
    const facts = await factsOf({ '_default/hosts.toml': OURS }, ['http://10.0.0.1:30021']);
    expect(checkHosts(facts).findings).toMatchObject([
      {
        id: 'hosts-stale',
        fix: [
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
