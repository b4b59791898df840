import { describe, expect, test } from 'bun:test';
import { basename } from 'node:path';
import type { ContainerdVersion } from './containerd-version.ts';
import type { FolderCertificates } from './host-folder.ts';
import { type AskedHost, readAsContainerd } from './hosts-reading.ts';
import { CERTIFICATE_FILES } from './hosts-trees.fixture.ts';
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

function certificatesOf(files: readonly string[]): FolderCertificates {
  return {
    ca: files.filter((name) => name.endsWith('.crt')),
    client: files
      .filter((name) => name.endsWith('.cert'))
      .map((name) => {
        const key = name.replace(/cert$/, 'key');
        return [name, files.includes(key) ? key : name] as const;
      }),
  };
}

function format(host: AskedHost): string {
  const {
    scheme,
    host: authority,
    path,
    fallsBackToHttp,
    capabilities,
    skipVerify,
    ca,
    client,
    header,
  } = host;
  const name = (file: string) => CERTIFICATE_FILES[basename(file)] ?? file;
  const headers = Object.entries(header).sort(([left], [right]) => (left < right ? -1 : 1));
  return [
    `${scheme}://${authority}${path}`,
    fallsBackToHttp ? 'or-http' : '',
    capabilities.join(','),
    skipVerify ? 'skip-verify' : '',
    ca.length === 0
      ? ''
      : `ca=${Array.from(new Set(ca.map(name)))
          .sort()
          .join(',')}`,
    client.length === 0 ? '' : `client=${client.map(([certificate]) => name(certificate)).join(',')}`,
    headers.length === 0 ? '' : `header=${JSON.stringify(Object.fromEntries(headers))}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

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
              : reading.hosts.map((host) => format(host)),
      };
      return Bun.deepEquals(found, { isTaken, hosts })
        ? []
        : [{ registry, text, found, expected: { isTaken, hosts } }];
    });
    expect(ROWS.length).toBeGreaterThan(300);
    expect(different).toEqual([]);
  });

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
