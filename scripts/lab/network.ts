import { existsSync } from 'node:fs';
import type { Cleanup } from './cleanup.ts';
import { createNetworkNamespace, type NetworkNamespace } from './network-namespace.ts';
import { runCommand } from './run-command.ts';

/** Speed of a link, in Mbit/s; undefined is as fast as the machine. */
export interface LinkShape {
  /** What the endpoint sends. */
  readonly egressMbit?: number;
  /** What the endpoint receives. */
  readonly ingressMbit?: number;
}

/** Bytes that crossed an endpoint's link since it was made, headers included. */
export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** One machine on the lab's network. */
export interface Endpoint {
  readonly name: string;
  readonly namespace: NetworkNamespace;
  readonly ipv4: string;
  readonly ipv6: string | undefined;
  /** Sets the speed of the link, replacing what was set before. */
  shape(shape: LinkShape): Promise<void>;
  /** Lets nothing out any more, without a word to anybody: packets arrive, no answer ever leaves. */
  blackhole(): Promise<void>;
  /** Ends blackhole(). */
  reconnect(): Promise<void>;
  traffic(): Promise<Traffic>;
}

/** A bridge in a namespace of its own, so that the machine's own network stays as it is. */
export interface LabNetwork {
  readonly hub: NetworkNamespace;
  /** Address of the hub, where all machines look for a name server. */
  readonly nameServer: string;
  /** Connects a new machine. `host` is the last part of its address, 2..32767. */
  attach(name: string, host: number): Promise<Endpoint>;
}

/** Addresses live only inside the lab's namespaces, so two labs may use the same ones. */
const IPV4_PREFIX = '10.99';
/** Half of each network; all machines are in it. */
const IPV4_NARROWER = `${IPV4_PREFIX}.0.0/17`;
const IPV6_NARROWER = 'fd99::/65';
const HUB_HOST = 1;
/** Whether this machine has IPv6 at all. */
const HAS_IPV6 = existsSync('/proc/net/if_inet6');

/** The IPv4 address of a host number. */
export function ipv4Of(host: number): string {
  return `${IPV4_PREFIX}.${host >> 8}.${host & 0xff}`;
}

function ipv6Of(host: number): string | undefined {
  return HAS_IPV6 ? `fd99::${host.toString(16)}` : undefined;
}

/** Makes the bridge. `id` prefixes the names of all namespaces; `hosts` are names that all of them know. */
export async function createLabNetwork(
  deps: { readonly cleanup: Cleanup },
  { id, hosts }: { readonly id: string; readonly hosts: readonly string[] },
): Promise<LabNetwork> {
  const nameServer = ipv4Of(HUB_HOST);
  const hub = await createNetworkNamespace(deps, { name: `${id}-hub`, hosts, nameServer });
  await hub.ip([
    'link add br0 type bridge',
    'link set br0 up',
    `addr add ${ipv4Of(HUB_HOST)}/16 dev br0`,
    ...(HAS_IPV6 ? [`addr add ${ipv6Of(HUB_HOST)}/64 dev br0 nodad`] : []),
  ]);
  const attach = async (name: string, host: number): Promise<Endpoint> => {
    const namespace = await createNetworkNamespace(deps, { name: `${id}-${name}`, hosts, nameServer });
    await hub.ip([
      `link add ${name} type veth peer name eth0 netns ${namespace.name}`,
      `link set ${name} master br0`,
      `link set ${name} up`,
    ]);
    const ipv6 = ipv6Of(host);
    await namespace.ip([
      `addr add ${ipv4Of(host)}/16 dev eth0`,
      ...(ipv6 === undefined ? [] : [`addr add ${ipv6}/64 dev eth0 nodad`]),
      'link set eth0 up',
    ]);
    return createEndpoint({ hub, namespace }, { name, ipv4: ipv4Of(host), ipv6 });
  };
  return { hub, nameServer, attach };
}

function createEndpoint(
  { hub, namespace }: { readonly hub: NetworkNamespace; readonly namespace: NetworkNamespace },
  { name, ipv4, ipv6 }: { readonly name: string; readonly ipv4: string; readonly ipv6: string | undefined },
): Endpoint {
  // The narrower prefix wins over the interface's route. Address resolution still works, so dials
  // see silence, as from a machine behind a router that died, and not "no route to host".
  const routes = async (command: 'add' | 'del'): Promise<void> =>
    namespace.ip([
      `route ${command} blackhole ${IPV4_NARROWER}`,
      ...(ipv6 === undefined ? [] : [`route ${command} blackhole ${IPV6_NARROWER}`]),
    ]);
  return {
    name,
    namespace,
    ipv4,
    ipv6,
    shape: async ({ egressMbit, ingressMbit }) => {
      await limit(namespace, 'eth0', egressMbit);
      await limit(hub, name, ingressMbit);
    },
    blackhole: async () => routes('add'),
    reconnect: async () => routes('del'),
    traffic: async () => {
      const [link] = JSON.parse(
        await runCommand(['ip', '-n', hub.name, '-j', '-s', 'link', 'show', 'dev', name]),
      ) as { stats64: { rx: { bytes: number }; tx: { bytes: number } } }[];
      if (link === undefined) throw new Error(`Link ${name} is gone`);
      return { sentBytes: link.stats64.rx.bytes, receivedBytes: link.stats64.tx.bytes };
    },
  };
}

/** A veth hands over up to 64 KiB at once; a smaller bucket would cut each of them up. */
const MIN_BURST_BYTES = 128 * 1024;
const QUEUE_MS = 50;

async function limit(namespace: NetworkNamespace, device: string, mbit: number | undefined): Promise<void> {
  const tc = ['tc', '-n', namespace.name, 'qdisc'];
  if (mbit === undefined) {
    // `replace` first, because deleting the default one is an error.
    await runCommand([...tc, 'replace', 'dev', device, 'root', 'pfifo']);
    await runCommand([...tc, 'del', 'dev', device, 'root']);
    return;
  }
  const burst = Math.max(MIN_BURST_BYTES, Math.round((mbit * 1e6) / 8 / 100));
  const tbf = ['tbf', 'rate', `${mbit}mbit`, 'burst', String(burst), 'latency', `${QUEUE_MS}ms`];
  await runCommand([...tc, 'replace', 'dev', device, 'root', ...tbf]);
}
