import { describe, expect, test } from 'bun:test';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { certificatesOf, formatAskedHost } from './hosts-reading.fixture.ts';
import { readAsContainerd } from './hosts-reading.ts';
import table from './testdata/containerd-hosts.json';

interface Answer {
  readonly isTaken: boolean;
  /** One line a host; a word if no pull is possible, because a certificate cannot be loaded or containerd crashes. */
  readonly hosts: readonly string[] | string;
}
/** A folder, and what containerd's own code makes of it (scripts/hosts-table.ts --write). */
interface Row {
  readonly registry: string;
  readonly text?: string;
  readonly files: readonly string[];
  readonly '1.7': Answer;
  readonly '2.3': Answer;
}
const ROWS = table as readonly Row[];

describe('readAsContainerd()', () => {
  test.each<[version: '1.7' | '2.3', ContainerdVersion]>([
    ['1.7', { major: 1, minor: 7 }],
    ['2.3', { major: 2, minor: 3 }],
  ])('readAsContainerd() reads what the code of containerd %s reads', (name, version) => {
    const different = ROWS.flatMap((row) => {
      const { registry, text, files } = row;
      const { isTaken, hosts } = row[name];
      const reading = readAsContainerd(text, { registry, version, certificates: certificatesOf(files) });
      const found = {
        // The text alone does not tell which certificates can be loaded.
        isTaken: hosts === 'panic:' ? isTaken : reading.problem === undefined,
        hosts:
          reading.problem?.effect === 'crashes'
            ? 'panic:'
            : typeof hosts === 'string' && hosts !== 'panic:'
              ? hosts
              : reading.hosts.map((host) => formatAskedHost(host)),
      };
      return Bun.deepEquals(found, { isTaken, hosts })
        ? []
        : [{ registry, text, found, expected: { isTaken, hosts } }];
    });
    expect(ROWS.length).toBeGreaterThan(300);
    expect(different).toEqual([]);
  });

  test.each([1, 2])(
    'readAsContainerd() of %i.x gives a registry that it derives no way back to HTTP',
    (major) => {
      // Without a second slash the URL has no host.
      const text = 'server = "http:reg.example:5000"\nskip_verify = true\n[host.a]\n';
      const options = { registry: 'reg.example', certificates: { ca: [], client: [] } };
      const { hosts } = readAsContainerd(text, { ...options, version: { major, minor: 3 } });
      expect(hosts.at(-1)).toMatchObject({
        scheme: 'https',
        host: 'reg.example',
        path: '/v2',
        skipVerify: true,
        fallsBackToHttp: false,
      });
    },
  );

  test('readAsContainerd() names the line and the key of what containerd does not take', () => {
    const text = '[host."http://a"]\n\n[host."http://b"]\ndial_timeout = "200"\n';
    const options = { registry: 'reg.example', certificates: { ca: [], client: [] } };
    const read = (major: number, minor: number) =>
      readAsContainerd(text, { ...options, version: { major, minor } });
    expect(read(2, 1).problem).toMatchObject({ line: 4, key: ['host', 'http://b', 'dial_timeout'] });
    expect(read(2, 1).hosts.map(({ host }) => host)).toEqual(['reg.example']);
    // The setting is younger than 2.0.
    for (const older of [read(2, 0), read(1, 7)]) {
      expect(older.problem).toBeUndefined();
      expect(older.hosts.map(({ host }) => host)).toEqual(['a', 'b', 'reg.example']);
    }
  });
});
