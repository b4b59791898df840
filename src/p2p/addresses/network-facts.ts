import { access, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

import type { AnnounceFacts } from './announceable-addresses.ts';

/** A default route's destination in /proc/net/route and /proc/net/ipv6_route. */
const NO_PREFIX = /^0+$/;

/** Where the kernel tells about its interfaces and routes; replaced in tests. */
export interface NetworkFactsSources {
  /** Default `/sys/class/net`. */
  readonly sysClassNet?: string;
  /** Default `/proc/net`. */
  readonly procNet?: string;
}

/** Asks the kernel for what announceableAddresses decides by. What cannot be read is left out. */
export async function readNetworkFacts(
  nodeIp: string | undefined,
  { sysClassNet = '/sys/class/net', procNet = '/proc/net' }: NetworkFactsSources = {},
): Promise<AnnounceFacts> {
  const interfaces = networkInterfaces();
  const bridges = new Set<string>();
  for (const name of Object.keys(interfaces)) {
    if (await exists(join(sysClassNet, name, 'bridge'))) bridges.add(name);
  }
  const [ip4, ip6] = await Promise.all([
    readRows(join(procNet, 'route')),
    readRows(join(procNet, 'ipv6_route')),
  ]);
  const defaultRoutes = new Set([...defaultsOfIp4(ip4), ...defaultsOfIp6(ip6)]);
  return { interfaces, nodeIp, bridges, defaultRoutes };
}

/** Columns of /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask … */
function defaultsOfIp4(rows: readonly string[][]): readonly string[] {
  return rows.flatMap(([name, destination, , , , , , mask]) =>
    name !== undefined && NO_PREFIX.test(destination ?? '') && NO_PREFIX.test(mask ?? '') ? [name] : [],
  );
}

/** Columns of /proc/net/ipv6_route: destination, its prefix length in hex, source, its length, …, device last. */
function defaultsOfIp6(rows: readonly string[][]): readonly string[] {
  return rows.flatMap((row) => {
    const name = row.at(-1);
    const isDefault = NO_PREFIX.test(row[0] ?? '') && row[1] === '00' && name !== 'lo';
    return isDefault && name !== undefined ? [name] : [];
  });
}

async function readRows(path: string): Promise<readonly string[][]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').map((line) => line.trim().split(/\s+/));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
