import { describe, expect, test } from 'bun:test';
import { readHostsFolders } from '../mirror-config/read-hosts-folders.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { checkHostSections } from './check-host-sections.ts';
import { DISTRIBUTIONS } from './distribution.ts';
import { viewHost } from './host-view.ts';

const CERTS = '/etc/containerd/certs.d';
const MIRROR = "[host.'http://127.0.0.1:30020']\n";

async function check(
  text: string,
  { files = {}, major }: { readonly files?: Readonly<Record<string, string>>; readonly major?: number } = {},
) {
  await using folder = await createHostFolder({ [`${CERTS}/a.io/hosts.toml`]: text, ...files });
  const { host } = folder;
  const known = major === undefined ? undefined : { major, minor: major < 2 ? 7 : 0 };
  return await checkHostSections(
    { host, view: await viewHost(host) },
    {
      configPath: CERTS,
      folders: await readHostsFolders(
        host,
        CERTS,
        { major: 2, minor: 3, ...known },
        { isVersionKnown: known !== undefined },
      ),
      targets: ['http://127.0.0.1:30020', 'http://127.0.0.1:30021'],
      mirroredRegistries: [],
      defaultTarget: 'http://127.0.0.1:5000',
      nodeAddresses: [],
      distribution: DISTRIBUTIONS.plain,
    },
  );
}

describe('checkHostSections()', () => {
  test.each([
    ['all capabilities', MIRROR, []],
    ['no list of them', `${MIRROR}capabilities = []\n`, []],
    ['pulls', `${MIRROR}capabilities = ['Pull']\n`, []],
    ['tags alone, which do not keep containerd from pulls', `${MIRROR}capabilities = ['resolve']\n`, []],
    ['another path', `${MIRROR}override_path = true\n`, ['hosts-mirror-unusable']],
    ['another path, and a second target', `${MIRROR}override_path = true\n${MIRROR.replace('20', '21')}`, []],
    ['the API in the URL', MIRROR.replace('30020', '30020/v2'), []],
    [
      'the API in the URL, and no other path',
      `${MIRROR.replace('30020', '30020/v2')}override_path = true\n`,
      [],
    ],
    ['a slash at the end', MIRROR.replace('30020', '30020/'), ['hosts-mirror-unusable']],
    ['a table in a table', "[host]\n'http://127.0.0.1:30020' = {}\n", ['hosts-mirror-unusable']],
    ['a dotted key', "host.'http://127.0.0.1:30020' = {}\n", ['hosts-mirror-unusable']],
    ['an inline table', "host = {'http://127.0.0.1:30020' = {}}\n", ['hosts-mirror-unusable']],
    [
      'a dotted key, and a second target',
      `host.'http://127.0.0.1:30020' = {}\n${MIRROR.replace('20', '21')}`,
      [],
    ],
    ['another host without pulls', `${MIRROR}[host.'http://b']\ncapabilities = ['push']\n`, []],
    [
      'a certificate that is not there',
      `${MIRROR}[host.'https://b']\nca = 'b.crt'\n`,
      ['hosts-certificate-missing'],
    ],
    [
      'a certificate for the server that is not there',
      `ca = ['b.crt']\n${MIRROR}`,
      ['hosts-certificate-missing'],
    ],
    [
      'a client pair that is half there',
      `client = [['c.crt', 'c.key']]\n${MIRROR}`,
      ['hosts-certificate-missing'],
    ],
    [
      'certificates that are there',
      `ca = 'c.crt'\nclient = [['c.crt', '${CERTS}/a.io/c.crt']]\n${MIRROR}`,
      [],
    ],
  ])('looks at %s', async (_what, text, ids) => {
    const { findings } = await check(text, { files: { [`${CERTS}/a.io/c.crt`]: 'PEM' } });
    expect(findings.map(({ id }) => id)).toEqual(ids);
  });

  test('takes any form of a host where containerd 1.x does', async () => {
    const { findings } = await check("host.'http://127.0.0.1:30020' = {}\n", { major: 1 });
    expect(findings).toEqual([]);
  });

  test('sees an IPv6 address that containerd 1.x cannot read, in the name of a section', async () => {
    const text = `${MIRROR}ca = 'absent.crt'\r\n\n[host.'http://[fd00::1]:30020']\r\n`;
    for (const known of [{ major: 2 }, {}]) {
      const { findings } = await check(text, known);
      expect(findings.map(({ id }) => id)).toEqual(['hosts-certificate-missing']);
    }
    const { findings } = await check(text, { major: 1 });
    expect(findings.map(({ id, seen }) => ({ id, seen }))).toEqual([
      {
        id: 'hosts-ipv6-unreadable',
        seen: [`${CERTS}/a.io/hosts.toml:4: [host.'http://[fd00::1]:30020']`],
      },
    ]);
    const inline = "[host]\n'http://[fd00::1]:30020' = {}\n";
    expect((await check(inline, { major: 1 })).findings).toEqual([]);
  });

  test('does not take for granted that a containerd of 1.x cannot read an address, where its version is a guess', async () => {
    const text = "[host.'http://[fd00::1]:30020']\nca = 'absent.crt'\n";
    await using folder = await createHostFolder({ [`${CERTS}/a.io/hosts.toml`]: text });
    const read = async (isVersionKnown: boolean) => {
      const old = { major: 1, minor: 7 };
      const [found] = await readHostsFolders(folder.host, CERTS, old, { isVersionKnown });
      return [found?.problem?.only1x, found?.reading?.hosts[0]?.host];
    };
    expect(await read(true)).toEqual(['bracket', 'a.io']);
    expect(await read(false)).toEqual([undefined, '[fd00::1]:30020']);
  });

  test('does not miss a certificate where it cannot look', async () => {
    expect(await check(`ca = '/etc/pki/ca.crt'\n${MIRROR}`)).toEqual({
      findings: [],
      unknown: [`${CERTS}/a.io/hosts.toml: /etc/pki/ca.crt cannot be seen from here`],
    });
  });
});
