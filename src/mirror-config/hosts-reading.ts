import { parseAskedUrl } from './asked-url.ts';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { findHostsProblem } from './find-hosts-problem.ts';
import type { FolderCertificates } from './host-folder.ts';
import type { HostsProblem } from './hosts-problem.ts';
import { isTable, settingOf } from './hosts-settings.ts';
import { type HostSettings, type HostsTomlHost, type ParsedHostsToml, parseHostsToml } from './hosts-toml.ts';
import { capabilitiesOf, hasDialTimeout } from './setting-fault.ts';
import { findLine, scanToml } from '../containerd-config/toml-scan.ts';

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
  /** Why it goes on as if there was no hosts.toml, or crashes. */
  readonly problem: HostsProblem | undefined;
  /** Hosts that it does not ask because of how they are written. */
  readonly passedOver: ReadonlyArray<HostsProblem & { readonly url: string }>;
  /** True: the `*.crt` and `*.cert` files of the folder count, as they do without a hosts.toml. */
  readonly usesCertificates: boolean;
  /** What the file says of the server; undefined: containerd derives it from the registry. */
  readonly server: string | undefined;
  /** In the order in which they are asked; the registry is the last. None if containerd crashes. */
  readonly hosts: readonly AskedHost[];
}

/** What decides how a folder is read, beside its hosts.toml. */
export interface HostsReadingOptions {
  /** What stands before the first slash of an image's name, also where the folder is `_default`; undefined: any. */
  readonly registry: string | undefined;
  readonly version: ContainerdVersion;
  /** Of the folder, as file names. */
  readonly certificates: FolderCertificates;
}

/**
 * Reads a hosts.toml as that version of containerd does (ConfigureHosts in core/remotes/docker/config). An undefined or
 * empty text is a folder without the file. Never throws.
 */
export function readAsContainerd(
  text: string | undefined,
  { registry, version, certificates }: HostsReadingOptions,
): HostsReading {
  const problem = text === undefined || text === '' ? undefined : findHostsProblem(text, version);
  if (text === undefined || text === '' || problem !== undefined) {
    const { ca, client } = certificates;
    const settings = { ...(ca.length > 0 && { ca }), ...(client.length > 0 && { client }) };
    const isCrash = problem?.effect === 'crashes';
    const hosts = isCrash ? [] : [serverHost(undefined, settings, registry, version)];
    return { problem, passedOver: [], usesCertificates: !isCrash, server: undefined, hosts };
  }
  const parsed = parseHostsToml(text);
  const { root, hosts, askedBy2x } = parsed;
  const { major } = version;
  const asked = major < 2 ? hosts : askedBy2x;
  const said = settingOf(root, 'server', version);
  const server = typeof said === 'string' && said !== '' ? said : undefined;
  return {
    problem: undefined,
    passedOver: passedOverIn(text, parsed, { asked, major }),
    usesCertificates: false,
    server,
    hosts: [...asked.map((host) => readHost(host, version)), serverHost(server, root, registry, version)],
  };
}

/** How containerd asks a host of a file that it takes. Throws InvalidGoUrlError for a URL with which it does not take it. */
export function readHost(
  { url, settings }: Pick<HostsTomlHost, 'url' | 'settings'>,
  version: ContainerdVersion,
): AskedHost {
  return askedHost(url, url, settings, version);
}

function passedOverIn(
  text: string,
  { root, hosts }: ParsedHostsToml,
  { asked, major }: { readonly asked: readonly HostsTomlHost[]; readonly major: number },
): HostsReading['passedOver'] {
  const otherNames = Object.entries(root).flatMap(([name, table]) =>
    name.toLowerCase() === 'host' && isTable(table)
      ? Object.keys(table).map((url) => [name, url] as const)
      : [],
  );
  const written = [...hosts.map(({ url }) => ['host', url] as const), ...otherNames];
  const scan = scanToml(text);
  return written
    .filter(([, url]) => url !== '' && !asked.some((host) => host.url === url))
    .map(([name, url]) => {
      const how =
        name === 'host'
          ? 'have a line [host."URL"] of their own'
          : 'are in a table named host, in small letters';
      const why = `containerd ${major}.x asks only hosts that ${how}`;
      const key = [name, url];
      return { effect: 'passes-over', line: findLine(scan, key), key, why, url };
    });
}

function serverHost(
  server: string | undefined,
  settings: HostSettings,
  registry: string | undefined,
  version: ContainerdVersion,
): AskedHost {
  const asked = askedHost(undefined, server ?? '', settings, version);
  if (asked.host !== '' || registry === undefined) return asked;
  const capabilities = capabilitiesOf(version);
  const derived = { ...asked, path: '/v2', capabilities, fallsBackToHttp: false };
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
  const url = name === '' ? undefined : parseAskedUrl(name, read('override_path') === true, version);
  const header = read('header');
  const timeout = hasDialTimeout(version) ? read('dial_timeout') : undefined;
  return withFallback(
    {
      table,
      scheme: url?.scheme ?? '',
      host: url?.host ?? '',
      path: url?.path ?? '',
      fallsBackToHttp: false,
      capabilities: namedCapabilities(settings, version),
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

function namedCapabilities(settings: HostSettings, version: ContainerdVersion): readonly string[] {
  const all = capabilitiesOf(version);
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
