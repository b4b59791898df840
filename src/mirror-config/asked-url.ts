import { posix } from 'node:path';
import { type ContainerdVersion, isAtLeast } from '../containerd-config/containerd-version.ts';
import { InvalidGoUrlError, parseGoUrl } from './go-url.ts';

/** Where containerd sends requests to a host of a hosts.toml. */
export interface AskedUrl {
  readonly scheme: string;
  /** With the port if there is one. */
  readonly host: string;
  /** What comes before the path of the distribution API; `/v2` in general. */
  readonly path: string;
}

/** Takes the most URLs: containerd is built with Go 1.26 from 2.3 on. */
const LENIENT: ContainerdVersion = { major: 1, minor: 7 };

/**
 * Reads the name of a `[host]` table, or a `server`, as that version of containerd does (parseHostConfig in
 * core/remotes/docker/config), or throws InvalidGoUrlError: containerd takes no notice of the whole file then. What has no
 * scheme is HTTPS. `/v2` is added unless it is there or `override_path` is true.
 */
export function parseAskedUrl(name: string, overridesPath: boolean, version: ContainerdVersion): AskedUrl {
  const whole = name.startsWith('http') ? name : `https://${name}`;
  const hasStrictColons = isAtLeast(version, 2, 3);
  const { scheme, host, path } = parseGoUrl(whole, { hasStrictColons });
  return { scheme, host, path: askedPath(path, overridesPath) };
}

/** As parseAskedUrl, with the path as it was written; undefined for what no version of containerd takes. */
export function readHostUrl(name: string): AskedUrl | undefined {
  try {
    return parseAskedUrl(name, true, LENIENT);
  } catch (error) {
    if (!(error instanceof InvalidGoUrlError)) throw error;
    return undefined;
  }
}

/** True if two names of hosts lead to the same one, wherever containerd asks it: the API is below `/v2` or below the root. */
export function isSameHost(left: string, right: string): boolean {
  const place = placeOf(left);
  return place !== undefined && place === placeOf(right);
}

function placeOf(name: string): string | undefined {
  const url = readHostUrl(name);
  if (url === undefined) return undefined;
  const { scheme, host, path } = url;
  const withoutPort = host.toLowerCase().replace(scheme === 'https' ? /:443$/ : /:80$/, '');
  return `${scheme}://${withoutPort}${path.replace(/\/v2$/, '').replace(/^\/$/, '')}`;
}

function askedPath(path: string, overridesPath: boolean): string {
  if (path === '') return overridesPath ? '' : '/v2';
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, '');
  return clean.endsWith('/v2') || overridesPath ? clean : `${clean}/v2`;
}
