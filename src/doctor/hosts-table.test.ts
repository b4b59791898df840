import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isSameHost } from '../mirror-config/asked-url.ts';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { type HostsFolder, readHostsFolders } from '../mirror-config/read-hosts-folders.ts';
import table from '../mirror-config/testdata/containerd-hosts.json';
import { createHostFolder, type HostFolder } from '../runtime/testing/host-folder.ts';
import { checkHostSections } from './check-host-sections.ts';
import { checkHosts } from './check-hosts.ts';
import { DISTRIBUTIONS } from './distribution.ts';
import { type HostView, viewHost } from './host-view.ts';
import type { HostsFacts } from './mirror-targets.ts';

interface Answer {
  readonly isTaken: boolean;
  /** One line a host, the registry is the last; a word if no pull is possible. */
  readonly hosts: readonly string[] | string;
}
/** A hosts.toml, and what containerd's own code makes of it (scripts/hosts-table.ts --write). */
interface Row {
  readonly text?: string;
  readonly '1.7': Answer;
  readonly '2.3': Answer;
}
const ROWS = (table as readonly Row[]).filter(({ text = '' }) => text !== '');
const VERSIONS: ReadonlyArray<readonly [name: '1.7' | '2.3', version: ContainerdVersion]> = [
  ['1.7', { major: 1, minor: 7 }],
  ['2.3', { major: 2, minor: 3 }],
];
const CERTS = '/etc/containerd/certs.d';

let node: HostFolder;
let view: HostView;

beforeAll(async () => {
  const files = ROWS.map(({ text = '' }, index) => [`${CERTS}/row-${index}.example/hosts.toml`, text]);
  node = await createHostFolder(Object.fromEntries(files));
  view = await viewHost(node.host);
});
afterAll(async () => node[Symbol.asyncDispose]());

/** The folder of each row, in their order. */
async function readRows(version: ContainerdVersion): Promise<ReadonlyArray<readonly [Row, HostsFolder]>> {
  const folders = await readHostsFolders(node.host, CERTS, version);
  return ROWS.flatMap((row, index) => {
    const folder = folders.find(({ registry }) => registry === `row-${index}.example`);
    return folder === undefined ? [] : [[row, folder] as const];
  });
}

function factsOf(folder: HostsFolder, target: string): HostsFacts {
  return {
    configPath: CERTS,
    folders: [folder],
    targets: [target],
    mirroredRegistries: [],
    defaultTarget: target,
    nodeAddresses: [],
    distribution: DISTRIBUTIONS.plain,
  };
}

/** The URLs that containerd asks before the registry, with the scheme that the file has. */
function askedIn({ hosts }: Answer): readonly string[] {
  const lines = typeof hosts === 'string' ? [] : hosts.slice(0, -1);
  return lines.map((line) => {
    const [url = '', fallback] = line.split(' ');
    return fallback === 'or-http' ? url.replace('https:', 'http:') : url;
  });
}

describe.each(VERSIONS)('doctor, beside the code of containerd %s,', (name, version) => {
  test('says of the same files that they are ignored, or that containerd crashes', async () => {
    const rows = await readRows(version);
    expect(rows.length).toBe(ROWS.length);
    const different: unknown[] = [];
    for (const [row, folder] of rows) {
      const facts = factsOf(folder, 'http://mirror.invalid');
      const found = [
        ...checkHosts(facts).findings,
        ...(await checkHostSections({ host: node.host, view }, facts)).findings,
      ];
      const ids = found
        .map(({ id }) => id)
        .filter((id) => ['hosts-invalid', 'hosts-crash', 'hosts-ipv6-unreadable'].includes(id))
        .map((id) => (id === 'hosts-crash' ? 'crashes' : 'ignored'));
      const { isTaken, hosts } = row[name];
      const expected = hosts === 'panic:' ? ['crashes'] : isTaken ? [] : ['ignored'];
      if (!Bun.deepEquals(ids, expected)) different.push([row.text, ids, expected]);
    }
    expect(different).toEqual([]);
  });

  test('says of the same hosts that they are not asked, or not at /v2', async () => {
    const different: unknown[] = [];
    let unusable = 0;
    let usable = 0;
    for (const [row, folder] of await readRows(version)) {
      if (!row[name].isTaken || typeof row[name].hosts === 'string') continue;
      // A target of the mirror is a URL. The table has no escapes in them.
      const isUrl = (url: string) => url !== '' && isSameHost(url, url) && !/\[.*%/.test(url);
      for (const { url } of folder.hosts?.hosts.filter(({ url }) => isUrl(url)) ?? []) {
        const facts = factsOf(folder, url);
        const { findings } = await checkHostSections({ host: node.host, view }, facts);
        const found = findings.some(({ id }) => id === 'hosts-mirror-unusable');
        const asked = askedIn(row[name]).filter((other) => isSameHost(other, url));
        const isAskedWell = asked.some((other) => /^[a-z]*:\/\/[^/]*\/v2$/.test(other));
        if (found === isAskedWell) different.push([row.text, url, { found, asked }]);
        if (found) unusable += 1;
        else usable += 1;
      }
    }
    expect(different).toEqual([]);
    expect(Math.min(unusable, usable)).toBeGreaterThan(30);
  });
});
