import { cpSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cleanup, createCleanup } from './cleanup.ts';
import { type LabHttp, startLabHttp } from './lab-http.ts';
import { type LabNode, nodeHost, type NodeOptions, NO_MIRROR, startLabNode } from './lab-node.ts';
import { startNameServer, type Zone } from './name-server.ts';
import { reserveArpTable } from './arp-table.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { createLabNetwork, type Endpoint, ipv4Of, type LabNetwork } from './network.ts';
import { createLabId } from './lab-id.ts';
import { sweepDeadLabs } from './sweep.ts';
import { startUpstream, type Upstream, UPSTREAM_HOST } from './upstream.ts';

/** Options of createLab. Those of a node are the default of all nodes. */
export interface LabOptions extends NodeOptions {
  /** How many nodes, or one entry per node for what it has different from the others. */
  readonly nodes: number | readonly NodeOptions[];
  /** Speed of upstream's link; also settable later through upstream.endpoint. */
  readonly upstreamMbit?: number;
  /** Whether upstream has PRIVATE_REGISTRY, too. Default false. */
  readonly hasPrivateRegistry?: boolean;
  /** Names that a name server of the lab knows. Default: there is no name server. */
  readonly zone?: Zone;
  /** Room that the images of all nodes need, in bytes; decides between memory and disk. Default 4 GiB. */
  readonly roomBytes?: number;
}

/** A cluster on one machine. */
export interface Lab extends AsyncDisposable {
  /** Prefix of everything the lab makes on the machine. */
  readonly id: string;
  readonly directory: string;
  readonly nodes: readonly LabNode[];
  readonly upstream: Upstream;
  readonly http: LabHttp;
  /** A machine on the network that is no node. */
  readonly hub: NetworkNamespace;
  /** Changes what the name server knows. Throws when there is none. */
  setZone(zone: Zone): void;
  /** Node n, counted from 1. Throws when there is none. */
  readonly node: (n: number) => LabNode;
  /** Connects a machine that is not a node. The name has at most 15 characters, as network links have. */
  attach(name: string): Promise<Endpoint>;
  /** Starts one more node, which joins the others; returns when its mirror is ready. */
  addNode(options?: NodeOptions): Promise<LabNode>;
}

const UPSTREAM_ADDRESS = 2;
/** Machines that are neither nodes nor upstream have addresses from here on. */
const FIRST_MACHINE_ADDRESS = 3;
/** Two containerds per core start about as fast as one after the other, more only time out. */
const STARTS_AT_ONCE = 4;
const DEFAULT_ROOM_BYTES = 4 * 1024 ** 3;

/** Starts a lab. Needs root. Whatever happens, nothing of it stays behind: on dispose, on failure, on Ctrl-C. */
export async function createLab(options: LabOptions): Promise<Lab> {
  if (process.getuid?.() !== 0) throw new Error('The lab makes network namespaces: run it as root');
  sweepDeadLabs([MEMORY_DIRECTORY, tmpdir()]);
  const cleanup = createCleanup();
  try {
    return await start(cleanup, options);
  } catch (error) {
    cleanup.run();
    throw error;
  }
}

async function start(cleanup: Cleanup, options: LabOptions): Promise<Lab> {
  const { nodes: nodeOptions, upstreamMbit, zone, roomBytes = DEFAULT_ROOM_BYTES, ...rest } = options;
  const { hasPrivateRegistry = false, ...defaults } = rest;
  const specs =
    typeof nodeOptions === 'number' ? Array.from({ length: nodeOptions }, () => ({})) : nodeOptions;
  const id = createLabId();
  const directory = makeDirectory(cleanup, id, roomBytes);
  reserveArpTable(cleanup, specs.length);

  const upstreamIp = ipv4Of(UPSTREAM_ADDRESS);
  const network = await createLabNetwork({ cleanup }, { id, hosts: [`${upstreamIp} ${UPSTREAM_HOST}`] });
  const names =
    zone === undefined
      ? undefined
      : await startNameServer(
          { cleanup, namespace: network.hub },
          { directory, address: network.nameServer, zone },
        );
  const http = startLabHttp({ cleanup, hub: network.hub }, { directory: join(directory, 'http') });
  const upstream = await startUpstream(
    { cleanup, http, endpoint: await network.attach('upstream', UPSTREAM_ADDRESS) },
    { directory: join(directory, 'upstream'), isPrivateToo: hasPrivateRegistry },
  );
  if (upstreamMbit !== undefined) await upstream.endpoint.shape({ egressMbit: upstreamMbit });

  const nodes: LabNode[] = [];
  /** A new mirror joins the first one that runs; the very first one finds itself. */
  const bootstrapHost = () => nodes.find((node) => node.hasMirror && node.mirror.running)?.endpoint.ipv4;
  const startNode = createNodeStarter({ cleanup, http, network, directory, upstream, bootstrapHost });

  for (let first = 0; first < specs.length; first += STARTS_AT_ONCE) {
    const group = specs.slice(first, first + STARTS_AT_ONCE);
    nodes.push(
      ...(await Promise.all(
        group.map(async (spec, n) => startNode(first + n + 1, { ...defaults, ...spec })),
      )),
    );
  }
  const [seed, ...others] = nodes.filter(({ hasMirror }) => hasMirror).map(({ mirror }) => mirror);
  await seed?.launch();
  await Promise.all(others.map(async (mirror) => mirror.launch()));
  await Promise.all([seed, ...others].map(async (mirror) => mirror?.ready()));

  let machines = 0;
  return {
    id,
    directory,
    nodes,
    upstream,
    http,
    hub: network.hub,
    setZone: (next) => {
      if (names === undefined) throw new Error('The lab was started without a zone');
      names.setZone(next);
    },
    node: (n) => {
      const node = nodes[n - 1];
      if (node === undefined) throw new RangeError(`There is no node ${n}, only 1 to ${nodes.length}`);
      return node;
    },
    attach: async (name) => network.attach(name, FIRST_MACHINE_ADDRESS + machines++),
    addNode: async (spec = {}) => {
      const node = await startNode(nodes.length + 1, { ...defaults, ...spec });
      if (node.hasMirror) {
        await node.mirror.launch();
        await node.mirror.ready();
      }
      nodes.push(node);
      return node;
    },
    [Symbol.asyncDispose]: async () => cleanup.run(),
  };
}

interface NodeStarterDeps {
  readonly cleanup: Cleanup;
  readonly http: LabHttp;
  readonly network: LabNetwork;
  readonly directory: string;
  readonly upstream: Upstream;
  readonly bootstrapHost: () => string | undefined;
}

function createNodeStarter({ cleanup, http, network, directory, upstream, bootstrapHost }: NodeStarterDeps) {
  return async (n: number, options: NodeOptions): Promise<LabNode> => {
    const name = `n${n}`;
    const { host, ipv4 } = nodeHost(n);
    const endpoint = await network.attach(name, host);
    return startLabNode(
      { cleanup, http, endpoint },
      {
        binary: NO_MIRROR,
        ...options,
        directory: join(directory, name),
        caFile: upstream.caFile,
        bootstrapHost: () => bootstrapHost() ?? ipv4,
      },
    );
  };
}

/** Memory when there is room for everything, so that the disk's speed is not what is measured. */
const MEMORY_DIRECTORY = '/dev/shm';
/** A folder that gets the logs of every lab before they are removed. */
const KEEP_LOGS_VARIABLE = 'SPEGEL_LAB_LOGS';

function makeDirectory(cleanup: Cleanup, id: string, roomBytes: number): string {
  const directory = join(hasRoom(roomBytes) ? MEMORY_DIRECTORY : tmpdir(), id);
  mkdirSync(join(directory, 'http'), { recursive: true });
  cleanup.defer(directory, () => {
    const keep = process.env[KEEP_LOGS_VARIABLE];
    if (keep !== undefined && keep !== '') keepLogs(directory, join(keep, id));
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

function hasRoom(bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DIRECTORY);
    return bavail * bsize >= bytes;
  } catch {
    return false;
  }
}

function keepLogs(directory: string, target: string): void {
  for (const machine of readdirSync(directory)) {
    for (const log of ['access.log', 'containerd.log', 'mirror/mirror.log']) {
      try {
        cpSync(join(directory, machine, log), join(target, machine, log));
      } catch {
        // This machine has no such log.
      }
    }
  }
}
