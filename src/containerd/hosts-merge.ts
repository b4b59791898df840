import { isAbsolute, join } from 'node:path';
import { isSameHost } from './asked-url.ts';
import type { FolderCertificates } from './host-folder.ts';
import type { HostSettings, HostsToml, HostsTomlHost } from './hosts-toml.ts';
import { formatRegistryUrl, parseRegistryUrl } from './registry-url.ts';

/** What becomes of a registry's hosts.toml. */
export interface HostsMerge {
  /** What was there without spegel. */
  readonly existing: HostsToml | undefined;
  /** Certificates that containerd takes from the folder only as long as there is no hosts.toml. */
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
 * Puts the mirror before what was there. Settings of the server itself stay in any case: without its ca, header or
 * skip_verify a registry could not be pulled from any more. A host that is the mirror too is asked once, as the mirror,
 * with what else was set for it.
 */
export function mergeHosts({
  existing,
  certificates,
  server,
  mirrors,
  keepHosts,
  movedFrom,
}: HostsMerge): HostsToml {
  const own = (settings: HostSettings) =>
    movedFrom === undefined ? settings : absolute(settings, movedFrom);
  const existingHosts = (existing?.hosts ?? []).map(({ url, settings }) => ({
    url,
    settings: own(settings),
  }));
  const kept = new Map(keepHosts ? existingHosts.map((host) => [sameUrl(host.url), host]) : []);
  const first = mirrors.map(({ url, settings }) => {
    const before = Array.from(kept.values()).find((host) => isSameHost(host.url, url))?.settings;
    return { url, settings: before === undefined ? settings : withMirror(before, settings) };
  });
  const rest = Array.from(kept.values()).filter(
    (host) => !mirrors.some(({ url }) => isSameHost(host.url, url)),
  );
  return {
    server: realServer(existing?.server) ?? server,
    settings: own(existing?.settings ?? certificateSettings(certificates)),
    hosts: [...first, ...rest],
  };
}

/** The mirror is asked below /v2, however its URL was written before. */
function withMirror(
  { override_path: _path, ...before }: HostSettings,
  { header, ...mirror }: HostSettings,
): HostSettings {
  if (header === undefined) return { ...before, ...mirror };
  return { ...before, ...mirror, header: { ...(before['header'] as HostSettings | undefined), ...header } };
}

function certificateSettings({ ca, client }: FolderCertificates): HostSettings {
  return { ...(ca.length === 0 ? {} : { ca }), ...(client.length === 0 ? {} : { client }) };
}

/** docker.io is a name, its registry is another host; many files have it all the same. */
function realServer(server: string | undefined): string | undefined {
  return server?.replace(/^https:\/\/docker\.io\/?$/, 'https://registry-1.docker.io');
}

/** One text for the ways to write one URL; containerd takes a host without a scheme as https. */
function sameUrl(text: string): string {
  const url = text.includes('://') ? text : `https://${text}`;
  try {
    return formatRegistryUrl(parseRegistryUrl(url)).toLowerCase();
  } catch {
    return url;
  }
}

/** `ca` and `client` are file names, lists of them, or lists of certificate and key (containerd's docs/hosts.md). */
function absolute(settings: HostSettings, folder: string): HostSettings {
  const move = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((item) => move(item));
    return typeof value === 'string' && !isAbsolute(value) ? join(folder, value) : value;
  };
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key,
      key === 'ca' || key === 'client' ? move(value) : value,
    ]),
  );
}
