import { isSameHost, readHostUrl } from '../mirror-config/asked-url.ts';
import type { HostsFolder } from '../mirror-config/read-hosts-folders.ts';
import type { Distribution } from './distribution.ts';
import { isLoopback } from './uses-proxy.ts';

/** What is known of the registry configuration. */
export interface HostsFacts {
  /** The folder that spegel writes to, as the host names it. */
  readonly configPath: string;
  readonly folders: readonly HostsFolder[];
  /** --mirror-targets of the command; empty: told by what configure has written. */
  readonly targets: readonly string[];
  /** --mirrored-registries of the command, which a fix repeats; empty: all. */
  readonly mirroredRegistries: readonly string[];
  /** The target when nothing tells another one. */
  readonly defaultTarget: string;
  /** Addresses of this node beside those of loopback. */
  readonly nodeAddresses: readonly string[];
  readonly distribution: Distribution;
}

/**
 * The URLs of the mirror: those that were given, else those that `configure` wrote first into its files, else hosts on this node
 * in files that something else writes.
 */
export function mirrorTargets(facts: HostsFacts): readonly string[] {
  const told = toldTargets(facts);
  return told.length > 0 ? Array.from(new Set(told)) : [facts.defaultTarget];
}

/** True if neither a flag nor a hosts.toml names a target, so that the default counts. */
export function isTargetAssumed(facts: HostsFacts): boolean {
  return toldTargets(facts).length === 0;
}

function toldTargets({ targets, folders, nodeAddresses }: HostsFacts): readonly string[] {
  if (targets.length > 0) return targets.map((url) => originOf(url) ?? url);
  const written = folders.filter(isWritten).flatMap(({ hosts }) => hosts?.hosts[0]?.url ?? []);
  if (written.length > 0) return written.map((url) => originOf(url) ?? url);
  return folders.flatMap(({ registry, hosts }) =>
    (hosts?.hosts ?? []).flatMap(({ url }) => {
      const origin = originOf(url);
      // A registry on this machine is not its own mirror.
      const isMirror = origin !== undefined && new URL(origin).host !== registry;
      return isMirror && isOnNode(origin, nodeAddresses) ? [origin] : [];
    }),
  );
}

/** True if `configure`, of spegel or of the original, has written the hosts.toml. */
export function isWritten({ author }: HostsFolder): boolean {
  return author === 'spegel' || author === 'original';
}

/** The URL as configure takes it, without `/v2`; undefined for what cannot be a mirror's. */
function originOf(url: string): string | undefined {
  const asked = readHostUrl(url);
  if (asked === undefined) return undefined;
  const origin = `${asked.scheme}://${asked.host}`;
  return ['', '/', '/v2'].includes(asked.path) && URL.canParse(origin) ? origin : undefined;
}

function isOnNode(origin: string, nodeAddresses: readonly string[]): boolean {
  const address = new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1');
  return isLoopback(address) || nodeAddresses.includes(address);
}

/** True if a URL is that of a target. */
export function isOneOf(url: string, targets: readonly string[]): boolean {
  return targets.some((target) => isSameHost(target, url));
}
