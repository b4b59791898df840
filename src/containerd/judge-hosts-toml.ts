import { InvalidAskedUrlError, parseAskedUrl } from './asked-url.ts';
import { type ContainerdVersion, isAtLeast } from './containerd-version.ts';
import { goDurationProblem } from './go-duration.ts';
import { isTable } from './hosts-settings.ts';
import type { HostsToml, ParsedHostsToml } from './hosts-toml.ts';
import { findUnreadToml } from './toml-dialect.ts';
import { findKeyLine, findTableLine } from './toml-lines.ts';

/** What containerd makes of a hosts.toml that is TOML. */
export interface HostsVerdict {
  /** Why it takes no notice of the whole file; undefined: it reads it. Quotes no value that may be secret. */
  readonly problem: string | undefined;
  /** URLs of hosts that it does not ask, because they are not written as `[host.…]`: 2.x reads no others. */
  readonly passedOver: readonly string[];
}

/**
 * Judges a hosts.toml by the rules of that version (parseHostsFile and parseHostConfig in core/remotes/docker/config, and
 * what go-toml makes of the types there). The text is the file's, the hosts are those that are written in it.
 */
export function judgeHostsToml(
  text: string,
  hosts: ParsedHostsToml,
  version: ContainerdVersion,
): HostsVerdict {
  const unread = findUnreadToml(text, version.major);
  const problem =
    unread === undefined
      ? problemOf(text, hosts, version)
      : `line ${unread.line}: ${unread.what}, which containerd ${version.major}.x does not take`;
  if (version.major < 2) return { problem, passedOver: [] };
  const passedOver = hosts.hosts.filter((host) => !hosts.askedBy2x.includes(host)).map(({ url }) => url);
  return { problem, passedOver };
}

function problemOf(text: string, { server, settings, hosts }: HostsToml, version: ContainerdVersion) {
  const misspelt = Object.keys(settings).find((key) => key !== 'host' && key.toLowerCase() === 'host');
  if (misspelt !== undefined) return `the table of hosts is named ${JSON.stringify(misspelt)}, not "host"`;
  const sections = [
    { path: [] as readonly string[], url: server, settings },
    ...hosts.map(({ url, settings }) => ({ path: ['host', url], url, settings })),
  ];
  for (const { path, url, settings } of sections) {
    const at = (key: string | undefined, what: string) => {
      const line = key === undefined ? undefined : findKeyLine(text, [...path, key]);
      const place = line ?? findTableLine(text, path);
      return `${place === undefined ? '' : `line ${place}: `}${what}`;
    };
    for (const [key, value] of Object.entries(settings)) {
      const what = wrongSetting(nameOf(key, version), value, version);
      if (what !== undefined) return at(key, what);
    }
    const override = Object.entries(settings).find(([key]) => nameOf(key, version) === 'override_path')?.[1];
    try {
      if (url !== undefined) parseAskedUrl(url, override === true);
    } catch (error) {
      if (!(error instanceof InvalidAskedUrlError)) throw error;
      return at(path.length === 0 ? 'server' : undefined, `the URL cannot be read: ${error.message}`);
    }
  }
  return undefined;
}

/** go-toml 2 reads a name in any case, go-toml 1 also all in capitals. */
function nameOf(key: string, { major }: ContainerdVersion): string {
  return major >= 2 || key === key.toUpperCase() ? key.toLowerCase() : key;
}

function wrongSetting(name: string, value: unknown, version: ContainerdVersion): string | undefined {
  switch (name) {
    case 'server':
      return typeof value === 'string' ? undefined : 'server is not a text';
    case 'skip_verify':
    case 'override_path':
      return typeof value === 'boolean' ? undefined : `${name} is neither true nor false`;
    case 'capabilities':
      return wrongCapabilities(value, version);
    case 'ca':
      return isTexts(value) ? undefined : 'ca is neither a file name nor a list of them';
    case 'client':
      return isClient(value) ? undefined : 'client is neither a file name nor a list of them or of pairs';
    case 'header':
      return isTable(value) && Object.values(value).every((item) => isTexts(item))
        ? undefined
        : 'header has a value that is neither a text nor a list of texts';
    case 'dial_timeout':
      // Unknown before, so any value is taken.
      return isAtLeast(version, 2, 1) ? wrongDuration(value) : undefined;
    default:
      return undefined;
  }
}

function wrongCapabilities(value: unknown, version: ContainerdVersion): string | undefined {
  if (!Array.isArray(value) || !isTexts(value)) return 'capabilities is not a list of texts';
  const known = new Set(['pull', 'resolve', 'push', ...(isAtLeast(version, 2, 2) ? ['referrers'] : [])]);
  const wrong = (value as readonly string[]).find((name) => !known.has(name.toLowerCase()));
  return wrong === undefined
    ? undefined
    : `containerd ${version.major}.${version.minor} knows no capability ${JSON.stringify(wrong.slice(0, 40))}`;
}

function wrongDuration(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'dial_timeout is not a text such as "200ms"';
  if (value === '') return undefined;
  const quoted = JSON.stringify(value.slice(0, 40));
  switch (goDurationProblem(value)) {
    case undefined:
      return undefined;
    case 'is too long':
      return `dial_timeout = ${quoted} is longer than any duration`;
    default:
      return `dial_timeout = ${quoted} is not a duration with its unit, such as "200ms"`;
  }
}

function isTexts(value: unknown): boolean {
  return (Array.isArray(value) ? value : [value]).every((item) => typeof item === 'string');
}

function isClient(value: unknown): boolean {
  if (!Array.isArray(value)) return typeof value === 'string';
  return value.every(
    (item) => typeof item === 'string' || (Array.isArray(item) && item.length === 2 && isTexts(item)),
  );
}
