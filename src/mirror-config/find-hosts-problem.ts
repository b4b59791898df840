import { parseAskedUrl } from './asked-url.ts';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { findHostsCrash } from './find-hosts-crash.ts';
import { InvalidGoUrlError } from './go-url.ts';
import type { HostsProblem } from './hosts-problem.ts';
import { isTable, settingOf, spellingsOf } from './hosts-settings.ts';
import { type HostSettings, InvalidHostsTomlError, parseHostsTree } from './hosts-toml.ts';
import { SETTING_KEYS, settingFault } from './setting-fault.ts';
import {
  findLine,
  findUnreadToml,
  formatUnreadToml,
  scanToml,
  type TomlScan,
} from '../containerd-config/toml-scan.ts';

/** A parsed hosts.toml with the version that reads it. */
interface HostsFile {
  readonly tree: HostSettings;
  readonly scan: TomlScan;
  readonly version: ContainerdVersion;
  /** See findHostsProblem(). */
  readonly asTables: boolean;
}

/** Something in the tree, with the moment at which containerd finds it. */
interface Fault extends HostsProblem {
  /** True: go-toml cannot decode it. False: it is found once the whole file is decoded. */
  readonly isType: boolean;
}

/**
 * The first thing for which that version of containerd does not take a hosts.toml, or crashes; undefined if it takes it
 * (parseHostsFile in core/remotes/docker/config). `asTables`: as if each host had a table of its own, `[host."URL"]`, as
 * `configure` writes them: then 2.x too asks all of them, and reads all of their settings.
 */
export function findHostsProblem(
  text: string,
  version: ContainerdVersion,
  { asTables = false }: { readonly asTables?: boolean } = {},
): HostsProblem | undefined {
  let tree: HostSettings;
  try {
    tree = parseHostsTree(text);
  } catch (error) {
    if (!(error instanceof InvalidHostsTomlError)) throw error;
    // go-toml 2 decodes each line before it parses the next one, so it may crash before it gets there.
    const before = text
      .split('\n')
      .slice(0, (error.line ?? 1) - 1)
      .join('\n');
    const first =
      version.major < 2 || before === '' ? undefined : findHostsProblem(before, version, { asTables });
    if (first?.effect === 'crashes') return first;
    return { effect: 'ignores-file', line: undefined, key: [], why: error.message };
  }
  const file: HostsFile = { tree, scan: scanToml(text), version, asTables };
  return version.major < 2 ? findIn1x(file) : findIn2x(file);
}

/** go-toml 1 parses the file, then containerd sorts its hosts, then it decodes the tree. */
function findIn1x(file: HostsFile): HostsProblem | undefined {
  const { tree, scan } = file;
  const unread = unreadIn(file);
  if (unread !== undefined) return unread;
  // lexInsideTableKey, quotes or not.
  const bracket = scan.headers.find(({ path }) => path.some((key) => /[[\]]/.test(key)));
  if (bracket !== undefined) {
    const why = 'containerd 1.x takes no bracket in the name of a table: write a host name for the address';
    return { effect: 'ignores-file', line: bracket.line, key: [], why, only1x: 'bracket' };
  }
  if (!isTable(tree['host'])) {
    const why = 'containerd 1.x takes no file without a [host] table: add one, or remove the file';
    return { effect: 'ignores-file', line: undefined, key: [], why, only1x: 'no-host-table' };
  }
  const faults = faultsIn(file);
  return findHostsCrash(file) ?? faults.find(({ isType }) => isType) ?? faults[0];
}

/** go-toml 2 parses and decodes the file line by line, then containerd looks at the hosts that it asks. */
function findIn2x(file: HostsFile): HostsProblem | undefined {
  const faults = faultsIn(file);
  const crash = file.asTables ? undefined : findHostsCrash(file);
  const unread = unreadIn(file);
  const found = [unread, crash, ...faults.filter(({ isType }) => isType)].filter(
    (problem) => problem !== undefined,
  );
  const lineOf = ({ line }: HostsProblem) => line ?? Number.POSITIVE_INFINITY;
  return found.toSorted((left, right) => lineOf(left) - lineOf(right))[0] ?? faults[0];
}

function unreadIn({ scan, version: { major } }: HostsFile): HostsProblem | undefined {
  const unread = findUnreadToml(scan, major);
  if (unread === undefined) return undefined;
  return { effect: 'ignores-file', line: unread.line, key: [], why: formatUnreadToml(unread, major) };
}

/** In the order in which containerd looks at the hosts and then at the server. */
function faultsIn(file: HostsFile): readonly Fault[] {
  const { tree, scan, version } = file;
  const fault = (key: readonly string[], why: string, isType = false): Fault => ({
    effect: 'ignores-file',
    line: findLine(scan, key),
    key,
    why,
    isType,
  });
  const settings = (table: HostSettings, path: readonly string[], isAsked: boolean): readonly Fault[] =>
    SETTING_KEYS.flatMap((key) =>
      spellingsOf(table, key, version).flatMap(([name, value]) => {
        const found = settingFault(key, value, version);
        if (found === undefined || (!isAsked && found.isType !== true)) return [];
        const below = found.below === undefined ? [] : [found.below];
        return [fault([...path, name, ...below], found.why, found.isType)];
      }),
    );
  const url = (text: string, key: readonly string[]): readonly Fault[] => {
    const why = urlProblem(text, version);
    return why === undefined ? [] : [fault(key, why)];
  };
  const hosts = spellingsOf(tree, 'host', version).flatMap(([name, host]) => {
    if (!isTable(host)) return [fault([name], 'it has to be a table', true)];
    return Object.entries(host).flatMap(([text, table]) => {
      const key = [name, text];
      if (!isTable(table)) return [fault(key, 'it has to be a table', true)];
      const isAsked = isAskedIn(file, name, text);
      return settings(table, key, isAsked).concat(isAsked ? url(text, key) : []);
    });
  });
  const servers = spellingsOf(tree, 'server', version)
    .filter(([, server]) => typeof server !== 'string')
    .map(([name]) => fault([name], 'it has to be a text', true));
  const server = settingOf(tree, 'server', version);
  return [
    ...hosts,
    ...servers,
    ...settings(tree, [], true),
    ...(typeof server === 'string' ? url(server, ['server']) : []),
  ];
}

function isAskedIn({ scan, version, asTables }: HostsFile, table: string, url: string): boolean {
  if (table !== 'host') return false;
  return (
    asTables ||
    version.major < 2 ||
    scan.headers.some(({ path, isArray }) => !isArray && path[0] === table && path[1] === url)
  );
}

function urlProblem(url: string, version: ContainerdVersion): string | undefined {
  try {
    parseAskedUrl(url, true, version);
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidGoUrlError)) throw error;
    return `containerd cannot use the URL: ${error.message}`;
  }
}
