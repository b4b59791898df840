import type { LoggedTransfer } from '../../../src/observe/transfer-log.ts';
import { FLIGHTS_PATH, flightsQuery, type FlightsReport } from '../../../src/routing/flights-report.ts';
import type { Lab } from '../../lab/lab.ts';
import type { LabNode } from '../../lab/lab-node.ts';
import { MIRROR_PORTS } from '../../lab/mirror.ts';
import { untilStopped } from '../../lab/until-stopped.ts';
import { waitFor } from '../../lab/wait-for.ts';

/** What can go wrong with a node while the others follow its download. */
export const FAULTS = [
  'kill',
  'restart',
  'stop',
  'cancel',
  'link',
  'slow',
  'tower',
  'child-kill',
  'containerd-stop',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** The pull of the faulty node. */
export interface FaultyPull {
  /** Cancels it. */
  cancel(): void;
  /** Begins it anew. */
  again(): void;
}

/** Where a fault is done. */
export interface FaultSite {
  readonly node: LabNode;
  readonly pull: FaultyPull;
  /** Speed of the node's link without the fault. */
  readonly linkMbit: number;
  /** How long the node stays away, in ms; undefined: until the end. */
  readonly awayMs: number | undefined;
}

/** One kind of fault. */
interface Fault {
  /** `root`: what downloads from upstream; `child`: what takes it from the root; `tower`: what decides, and wants nothing. */
  readonly of: 'root' | 'child' | 'tower';
  /** True if the node's own pull goes on, so that it counts; else it waits until the fault is mended. */
  readonly goesOn: boolean;
  /** How long the node stays away unless the options say so, in ms. Default: until the end. */
  readonly awayMs?: number;
  /** Does it; returns when the node is back, if it comes back. */
  begin(site: FaultSite): Promise<void>;
  /** Takes it back. */
  mend(site: FaultSite): Promise<void>;
}

/** A link that is good for nothing, in Mbit/s. */
const SLOW_MBIT = 3;

const kill = async ({ node, awayMs }: FaultSite): Promise<void> => {
  await node.mirror.kill();
  if (awayMs === undefined) return;
  await Bun.sleep(awayMs);
  await node.mirror.launch();
};
const launch = async ({ node }: FaultSite): Promise<void> => node.mirror.launch();
const nothing = async (): Promise<void> => {};

const KINDS: Readonly<Record<FaultName, Fault>> = {
  kill: { of: 'root', goesOn: true, begin: kill, mend: launch },
  restart: {
    of: 'root',
    goesOn: true,
    awayMs: 1000,
    begin: async ({ node, awayMs = 0 }) => {
      await node.mirror.stop();
      await Bun.sleep(awayMs);
      await node.mirror.launch();
    },
    mend: launch,
  },
  stop: {
    of: 'root',
    goesOn: false,
    begin: async ({ node }) => node.mirror.hang(),
    mend: async ({ node }) => node.mirror.resume(),
  },
  cancel: {
    of: 'root',
    goesOn: true,
    awayMs: 2000,
    begin: async ({ pull, awayMs = 0 }) => {
      pull.cancel();
      await Bun.sleep(awayMs);
      pull.again();
    },
    mend: nothing,
  },
  link: {
    of: 'root',
    goesOn: false,
    begin: async ({ node }) => node.endpoint.blackhole(),
    mend: async ({ node }) => node.endpoint.reconnect(),
  },
  slow: {
    of: 'root',
    goesOn: false,
    begin: async ({ node, linkMbit }) =>
      node.endpoint.shape({ egressMbit: linkMbit, ingressMbit: SLOW_MBIT }),
    mend: async ({ node, linkMbit }) => node.endpoint.shape({ egressMbit: linkMbit, ingressMbit: linkMbit }),
  },
  tower: { of: 'tower', goesOn: true, begin: kill, mend: launch },
  'child-kill': { of: 'child', goesOn: true, begin: kill, mend: launch },
  'containerd-stop': {
    of: 'root',
    goesOn: false,
    begin: async ({ node: { containerd } }) => {
      containerd.daemon.signal('SIGSTOP');
      await untilStopped(containerd.daemon.pid);
    },
    mend: async ({ node: { containerd } }) => containerd.daemon.signal('SIGCONT'),
  },
};

/** The kind of a fault. */
export function faultOf(name: FaultName): Fault {
  return KINDS[name];
}

/** A pull ends before long; what is to fail has to be found while it runs. */
const FIND_TIMEOUT_MS = 20_000;

/** Waits for the node that downloads the most from upstream, or for a node that takes the layer from it. */
export async function findFaulty(
  lab: Lab,
  nodes: readonly LabNode[],
  of: 'root' | 'child',
  layer: string,
): Promise<LabNode> {
  return waitFor(
    `the ${of} of the download; a larger image takes longer`,
    async () => {
      const looks = await Promise.all(
        nodes.map(async (node) => ({ node, report: await readFlights(lab, node) })),
      );
      const rootBytes = ({ downloads }: FlightsReport) =>
        downloads.reduce((sum, { role, writtenBytes }) => sum + (role === 'root' ? writtenBytes : 0), 0);
      const [root] = looks.toSorted((a, b) => rootBytes(b.report) - rootBytes(a.report));
      if (root === undefined || rootBytes(root.report) === 0) return undefined;
      if (of === 'root') return root.node;
      const follows = ({ downloads }: FlightsReport) =>
        downloads.some(
          ({ digest, role, parent }) =>
            digest === layer && role === 'child' && parent?.id === root.report.self,
        );
      return looks.find(({ report }) => follows(report))?.node;
    },
    { timeoutMs: FIND_TIMEOUT_MS },
  );
}

/** The node that decides about a digest. Throws if its mirror is not of the lab. */
export async function findTower(lab: Lab, layer: string): Promise<LabNode> {
  const [first] = lab.nodes;
  if (first === undefined) throw new RangeError('There is no node');
  return waitFor('a tower', async () => {
    const { towers = [] } = await readFlights(lab, first, layer);
    const addresses = towers[0]?.addresses ?? [];
    return lab.nodes.find(({ endpoint }) => addresses.includes(endpoint.ipv4));
  });
}

/** The longest that a request of the node's containerd waited for a flight without a byte, in ms. */
export async function readLongestHold(
  lab: Lab,
  node: LabNode,
  repositories: readonly string[],
): Promise<number> {
  const { transfers } = await readDebug<{ readonly transfers: readonly LoggedTransfer[] }>(
    lab,
    node,
    '/debug/transfers',
  );
  const own = transfers.filter(
    ({ forwarded, repository }) => !forwarded && repositories.includes(repository),
  );
  return Math.max(0, ...own.map(({ flight }) => flight?.heldMs ?? 0));
}

async function readFlights(lab: Lab, node: LabNode, digest?: string): Promise<FlightsReport> {
  return readDebug(lab, node, `${FLIGHTS_PATH}${digest === undefined ? '' : `?${flightsQuery(digest)}`}`);
}

async function readDebug<T>({ http }: Lab, { endpoint }: LabNode, path: string): Promise<T> {
  const response = await http.fetch(`http://${endpoint.ipv4}:${MIRROR_PORTS.metrics}${path}`);
  if (!response.ok) throw new Error(`${path} of ${endpoint.name} answers ${response.status}`);
  return (await response.json()) as T;
}
