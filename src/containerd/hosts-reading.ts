import { posix } from 'node:path';
import { type ContainerdVersion, isAtLeast } from './containerd-version.ts';
import { parseGoUrl } from './go-url.ts';
import type { FolderCertificates } from './host-folder.ts';
import { findHostsProblem, type HostsProblem } from './hosts-problem.ts';
import { isTable, settingOf } from './hosts-settings.ts';
import { type HostSettings, parseHostsToml } from './hosts-toml.ts';

/** One host that containerd asks for an image. */
export interface AskedHost {
  /** The name of its `[host]` table; undefined: the registry, of the file's root. */
  readonly table: string | undefined;
  readonly scheme: string;
  /** With the port if there is one. */
  readonly host: string;
  /** What stands before `/REPOSITORY/manifests/…`. */
  readonly path: string;
  /** True: it is asked over HTTPS, and over HTTP if it does not speak TLS. */
  readonly fallsBackToHttp: boolean;
  /** In the order pull, resolve, push, referrers. */
  readonly capabilities: readonly string[];
  readonly header: Readonly<Record<string, readonly string[]>>;
  readonly skipVerify: boolean;
  /** File names as they were written. */
  readonly ca: readonly string[];
  readonly client: ReadonlyArray<readonly [certificate: string, key: string]>;
  /** A Go duration; undefined: 30 s, as with every version before 2.1. */
  readonly dialTimeout: string | undefined;
}

/** What containerd makes of a registry's folder. */
export interface HostsReading {
  /** Why it goes on as if there was no hosts.toml. */
  readonly problem: HostsProblem | undefined;
  /** True: the `*.crt` and `*.cert` files of the folder count, as they do without a hosts.toml. */
  readonly usesCertificates: boolean;
  /** In the order in which they are asked; the registry is the last. */
  readonly hosts: readonly AskedHost[];
}

/**
 * Reads a hosts.toml as that version of containerd does (ConfigureHosts in core/remotes/docker/config). `registry` is what
 * stands before the first slash of an image's name, also where the folder is `_default`. An undefined or empty text is a
 * folder without the file. Never throws.
 */
export function readAsContainerd(
  text: string | undefined,
  {
    registry,
    version,
    certificates,
  }: {
    readonly registry: string;
    readonly version: ContainerdVersion;
    /** Of the folder, as file names. */
    readonly certificates: FolderCertificates;
  },
): HostsReading {
  const problem = text === undefined || text === '' ? undefined : findHostsProblem(text, version);
  if (text === undefined || text === '' || problem !== undefined) {
    const { ca, client } = certificates;
    const settings = { ...(ca.length > 0 && { ca }), ...(client.length > 0 && { client }) };
    return { problem, usesCertificates: true, hosts: [serverHost(undefined, settings, registry, version)] };
  }
  const { root, hosts, askedBy2x } = parseHostsToml(text);
  const server = settingOf(root, 'server', version);
  return {
    problem: undefined,
    usesCertificates: false,
    hosts: [
      ...(version.major < 2 ? hosts : askedBy2x).map(({ url, settings }) =>
        askedHost(url, url, settings, version),
      ),
      serverHost(typeof server === 'string' ? server : undefined, root, registry, version),
    ],
  };
}

function serverHost(
  server: string | undefined,
  settings: HostSettings,
  registry: string,
  version: ContainerdVersion,
): AskedHost {
  const asked = askedHost(undefined, server ?? '', settings, version);
  if (asked.host !== '') return asked;
  const capabilities = capabilitiesOf({}, version);
  const derived = { ...asked, path: '/v2', capabilities };
  if (registry === 'docker.io') {
    return withFallback({ ...derived, scheme: 'https', host: 'registry-1.docker.io' }, settings, version);
  }
  if (!isLocalhost(registry)) {
    return withFallback({ ...derived, scheme: 'https', host: registry }, settings, version);
  }
  const port = portOf(registry);
  const scheme = port === '' || port === '443' ? 'https' : 'http';
  const local = { ...derived, scheme, host: registry };
  return port === '80'
    ? withFallback(local, settings, version)
    : withFallback({ ...local, skipVerify: true }, { ...settings, skip_verify: true }, version);
}

function askedHost(
  table: string | undefined,
  name: string,
  settings: HostSettings,
  version: ContainerdVersion,
): AskedHost {
  const read = (key: string) => settingOf(settings, key, version);
  const url = name === '' ? undefined : parseGoUrl(name.startsWith('http') ? name : `https://${name}`);
  const header = read('header');
  const timeout = isAtLeast(version, 2, 1) ? read('dial_timeout') : undefined;
  return withFallback(
    {
      table,
      scheme: url?.scheme ?? '',
      host: url?.host ?? '',
      path: url === undefined ? '' : pathOf(url.path, read('override_path') === true),
      fallsBackToHttp: false,
      capabilities: capabilitiesOf(settings, version),
      header: isTable(header)
        ? Object.fromEntries(Object.entries(header).map(([key, value]) => [key, listOf(value)]))
        : {},
      skipVerify: read('skip_verify') === true,
      ca: listOf(read('ca')),
      client: clientsOf(read('client')),
      dialTimeout: typeof timeout === 'string' && timeout !== '' ? timeout : undefined,
    },
    settings,
    version,
  );
}

/** Any setting of TLS makes containerd try HTTPS where HTTP was said, unless the port is that of HTTP. */
function withFallback(asked: AskedHost, settings: HostSettings, version: ContainerdVersion): AskedHost {
  const hasTls =
    settingOf(settings, 'ca', version) !== undefined ||
    settingOf(settings, 'skip_verify', version) !== undefined ||
    asked.client.length > 0;
  const falls = asked.scheme === 'http' && hasTls && portOf(asked.host) !== '80';
  return falls ? { ...asked, scheme: 'https', fallsBackToHttp: true } : asked;
}

function pathOf(path: string, overridesPath: boolean): string {
  if (path === '') return overridesPath ? '' : '/v2';
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, '');
  return clean.endsWith('/v2') || overridesPath ? clean : `${clean}/v2`;
}

function capabilitiesOf(settings: HostSettings, version: ContainerdVersion): readonly string[] {
  const all = ['pull', 'resolve', 'push', ...(version.major < 2 ? [] : ['referrers'])];
  const names = listOf(settingOf(settings, 'capabilities', version)).map((name) => name.toLowerCase());
  return names.length === 0 ? all : all.filter((name) => names.includes(name));
}

function clientsOf(value: unknown): ReadonlyArray<readonly [string, string]> {
  const items: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return items.map((item) => {
    const [certificate = '', key = certificate] = listOf(item);
    return [certificate, key];
  });
}

function listOf(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.filter((item) => typeof item === 'string');
}

/** IsLocalhost of core/remotes/docker. */
function isLocalhost(registry: string): boolean {
  const host = /^(.*):\d*$/.exec(registry)?.[1] ?? registry;
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}

function portOf(host: string): string {
  return /:(\d*)$/.exec(host)?.[1] ?? '';
}
