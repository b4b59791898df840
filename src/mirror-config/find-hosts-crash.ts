import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import type { HostsProblem } from './hosts-problem.ts';
import { isTable } from './hosts-settings.ts';
import type { HostSettings } from './hosts-toml.ts';
import { hasDialTimeout } from './setting-fault.ts';
import { findLine, type TomlScan } from '../containerd-config/toml-scan.ts';

/** A hosts.toml that is TOML, and the version that reads it. */
interface HostsFile {
  readonly tree: HostSettings;
  readonly scan: TomlScan;
  readonly version: ContainerdVersion;
}

/** What makes that version of containerd panic while it reads a hosts.toml, the first of it. */
export function findHostsCrash(file: HostsFile): HostsProblem | undefined {
  return file.version.major < 2 ? findCrashOf1x(file) : findCrashOf2x(file);
}

/** getSortedHosts compares the hosts as tables, so it takes two. */
function findCrashOf1x({ tree, scan }: HostsFile): HostsProblem | undefined {
  const { host } = tree;
  const hosts = isTable(host) ? Object.entries(host) : [];
  const wrong = hosts.find(([, settings]) => !isTable(settings))?.[0];
  if (wrong === undefined || hosts.length < 2) return undefined;
  const key = ['host', wrong];
  const why = 'containerd 1.x crashes with this: make it a table, [host."URL"]';
  return { effect: 'crashes', line: findLine(scan, key), key, why };
}

/** Settings that hold no table and no list; the server only at the root. */
const PLAIN: ReadonlySet<string> = new Set(['skip_verify', 'override_path', 'dial_timeout', 'server']);

/**
 * go-toml 2 cannot allocate the pointer of `skip_verify` in a host that is in its map already, so with a dotted key after
 * another one of the same host (handleKeyValuePart), and knows no table below a setting that is not a table (handleKeyPart).
 */
function findCrashOf2x({ scan, version }: HostsFile): HostsProblem | undefined {
  const places = [...scan.headers.map((header) => ({ ...header, above: undefined })), ...scan.keys].toSorted(
    (left, right) => left.line - right.line,
  );
  const crash = (line: number, key: readonly string[], fix: string): HostsProblem => {
    const why = `containerd ${version.major}.x crashes with this: ${fix}`;
    return { effect: 'crashes', line, key, why };
  };
  const known = new Set<string>();
  const withFlag = new Set<string>();
  for (const { path, line, above } of places) {
    const [root = '', url = ''] = path;
    const isHost = root.toLowerCase() === 'host';
    const [setting = '', ...below] = (isHost ? path.slice(2) : path).map((key) => key.toLowerCase());
    const isPlain = PLAIN.has(setting) && (setting !== 'server' || !isHost);
    const isRead = setting !== 'dial_timeout' || hasDialTimeout(version);
    if (above === undefined && isPlain && isRead && below.length > 0) {
      return crash(line, path, `${setting} is not a table`);
    }
    if (!isHost || path.length < 2) continue;
    const isFlag = setting === 'skip_verify';
    const isDotted = above !== undefined && above < 2 && path.length > 2;
    if (isDotted && isFlag && known.has(url) && !withFlag.has(url)) {
      return crash(line, path, 'give the host a table of its own, [host."URL"]');
    }
    known.add(url);
    if (isFlag) withFlag.add(url);
  }
  return undefined;
}
