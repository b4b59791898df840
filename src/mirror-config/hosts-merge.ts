import { isAbsolute, join } from 'node:path';
import { isSameHost } from './asked-url.ts';
import type { FolderCertificates } from './host-folder.ts';
import { settingOf, withoutSetting } from './hosts-settings.ts';
import type { HostSettings, HostsToml, HostsTomlHost, ParsedHostsToml } from './hosts-toml.ts';
import { isRegistryItself } from './registry-hosts.ts';

/** What becomes of a registry's hosts.toml. */
export interface HostsMerge {
  /** The registry, or `_default`. */
  readonly registry: string;
  /** What was there without spegel. */
  readonly existing: ParsedHostsToml | undefined;
  /** Certificates of the folder that containerd takes without spegel and not with it. */
  readonly certificates: FolderCertificates;
  /** For a registry that names none itself. */
  readonly server: string | undefined;
  /** The mirror, in the order to ask. */
  readonly mirrors: readonly HostsTomlHost[];
  /** True: the hosts that were there are asked after the mirror. */
  readonly keepHosts: boolean;
  /** Paths of certificates were relative to this folder and have to become absolute; undefined: they still are. */
  readonly movedFrom: string | undefined;
}

/**
 * Puts the mirror before what was there. What is about the registry itself stays in any case, in whatever table it is:
 * without its ca, header or skip_verify it could not be pulled from any more. A host that is the mirror too is asked once,
 * as the mirror, with what else was set for it.
 */
export function mergeHosts({
  registry,
  existing,
  certificates,
  server,
  mirrors,
  keepHosts,
  movedFrom,
}: HostsMerge): HostsToml {
  const own = (settings: HostSettings) =>
    movedFrom === undefined ? settings : absolute(settings, movedFrom);
  const existingServer =
    existing === undefined ? undefined : settingOf(existing.root, 'server', { major: 2 });
  const identity = { registry, server: typeof existingServer === 'string' ? existingServer : server };
  const kept = (existing?.hosts ?? [])
    .filter(({ url }) => url !== '' && (keepHosts || isRegistryItself(url, identity)))
    .map(({ url, settings, form }) => ({ url, settings: own(settings), form }));
  const first = mirrors.map((mirror) => {
    const before = keepHosts ? kept.findLast(({ url }) => isSameHost(url, mirror.url)) : undefined;
    return before === undefined
      ? mirror
      : { ...mirror, settings: withMirror(before.settings, mirror.settings) };
  });
  const isMirror = (url: string) => mirrors.some((mirror) => isSameHost(url, mirror.url));
  const hosts = [...first, ...kept.filter(({ url }) => !isMirror(url))];
  if (existing === undefined) return { server, settings: own(certificateSettings(certificates)), hosts };
  // With any setting of TLS containerd would try HTTPS where the server is said to speak HTTP.
  const isHttp = typeof existingServer === 'string' && existingServer.startsWith('http://');
  const settings = own(isHttp ? existing.settings : withCertificates(existing.settings, certificates));
  if (existingServer !== undefined && existingServer !== '') {
    return { server: realServer(existing.server), settings: withRealServer(settings), hosts };
  }
  // containerd derives https from the name of the registry. With a server it would heed what it has not heeded so far.
  if (server?.startsWith('http://') !== true) return { server: undefined, settings, hosts };
  return { server, settings: withoutSetting(settings, 'server', 'override_path', 'capabilities'), hosts };
}

function withMirror(before: HostSettings, { header, ...mirror }: HostSettings): HostSettings {
  const others = withoutSetting(before, 'override_path', ...Object.keys(mirror));
  if (header === undefined) return { ...others, ...mirror };
  const headers = settingOf(before, 'header', { major: 2 }) as HostSettings | undefined;
  return {
    ...withoutSetting(others, 'header'),
    ...mirror,
    header: { ...headers, ...(header as HostSettings) },
  };
}

/** Those of the folder count beside what the file says, and not instead of it. */
function withCertificates(settings: HostSettings, certificates: FolderCertificates): HostSettings {
  const beside = Object.entries(certificateSettings(certificates)).map(([key, files]) => {
    const said = settingOf(settings, key, { major: 2 });
    const list: readonly unknown[] = Array.isArray(said) ? said : said === undefined ? [] : [said];
    return [key, [...list, ...(files as readonly unknown[]).filter((file) => !list.includes(file))]];
  });
  return {
    ...withoutSetting(settings, ...beside.map(([key]) => String(key))),
    ...Object.fromEntries(beside),
  };
}

function certificateSettings({ ca, client }: FolderCertificates): HostSettings {
  return { ...(ca.length === 0 ? {} : { ca }), ...(client.length === 0 ? {} : { client }) };
}

/** docker.io is a name, its registry is another host; many files have it all the same. */
function realServer(server: string | undefined): string | undefined {
  return server?.replace(/^https:\/\/docker\.io\/?$/, 'https://registry-1.docker.io');
}

/** The same for a server in other letters, which containerd takes too. */
function withRealServer(settings: HostSettings): HostSettings {
  const entries = Object.entries(settings).map(([key, value]) => [
    key,
    key.toLowerCase() === 'server' && typeof value === 'string' ? realServer(value) : value,
  ]);
  return Object.fromEntries(entries);
}

/** `ca` and `client` are file names, lists of them, or lists of certificate and key (containerd's docs/hosts.md). */
function absolute(settings: HostSettings, folder: string): HostSettings {
  const move = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((item) => move(item));
    return typeof value === 'string' && !isAbsolute(value) ? join(folder, value) : value;
  };
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, /^(?:ca|client)$/i.test(key) ? move(value) : value]),
  );
}
