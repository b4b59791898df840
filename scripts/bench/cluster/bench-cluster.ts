import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peerIdFromString } from '@libp2p/peer-id';
import { type Cleanup, createCleanup } from '../../lab/cleanup.ts';
import { ENGINE_SETTINGS } from '../../../src/runtime/engine-settings.ts';
import { type Daemon, startDaemon } from '../../lab/daemon.ts';
import { reserveArpTable } from '../../lab/arp-table.ts';
import { createLabNetwork, type Endpoint } from '../../lab/network.ts';
import { readCpuSeconds } from '../../lab/process-usage.ts';
import { createLabId } from '../../lab/lab-id.ts';
import { sweepDeadLabs } from '../../lab/sweep.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { buildProgram } from '../build-program.ts';
import { connectControl, type Control } from './control.ts';
import { epochMs } from './epoch-ms.ts';
import { type PlacedNode, placeOf } from './nearest-nodes.ts';
import { type ClientCommands, NODE_PORTS, type NodeCommands, type NodeConfig } from './node-commands.ts';

/** A running node. */
export interface BenchNode extends PlacedNode {
  readonly id: string;
  readonly endpoint: Endpoint;
  readonly daemon: Daemon;
  readonly control: Control<NodeCommands>;
  /** Name of its first keys, see benchKeys. */
  readonly name: string;
}

/** What startBenchCluster needs to know. */
export interface BenchClusterOptions {
  readonly nodes: number;
  readonly keysPerNode: number;
  /** Pause between two starts, in ms. */
  readonly startGapMs: number;
  /** Keeps the names of functions in the program, for profiles. */
  readonly isMinified: boolean;
  readonly say: (text: string) => void;
}

/** Nodes as processes in namespaces of their own. */
export interface BenchCluster extends AsyncDisposable {
  readonly nodes: readonly BenchNode[];
  readonly client: Control<ClientCommands>;
  readonly keysPerNode: number;
  /** How starting went. Ms from when the first process was started; undefined for what did not happen in time. */
  readonly start: {
    readonly readyMs: readonly (number | undefined)[];
    readonly connectedToAllMs: readonly (number | undefined)[];
    readonly connectedPeers: readonly number[];
    /** Of each node, until all were ready and connected. */
    readonly cpuSeconds: readonly number[];
  };
  /** Nodes that run. */
  live(): readonly BenchNode[];
  say(text: string): void;
}

const FIRST_HOST = 10;
const CLIENT_HOST = 2;
/** For everyone to be ready, and to be connected to everyone, in ms. */
const START_TIMEOUT_MS = 120_000;
const CONNECT_TIMEOUT_MS = 60_000;
/** Asking all nodes is not for free: 80 questions a second slow down what they ask about. */
const CONNECT_INTERVAL_MS = 3_000;
/** How much of a log an error quotes, in characters. */
const LOG_TAIL = 2_000;
const STATE_INTERVAL_MS = 500;
const FOLDER = '/dev/shm';

/** Starts all nodes together. Needs root. Nothing stays behind: on dispose, on failure, on Ctrl-C. */
export async function startBenchCluster(options: BenchClusterOptions): Promise<BenchCluster> {
  if (process.getuid?.() !== 0) throw new Error('The bench makes network namespaces: run it as root');
  sweepDeadLabs([FOLDER, tmpdir()]);
  const cleanup = createCleanup();
  try {
    return await start(cleanup, options);
  } catch (error) {
    cleanup.run();
    throw error;
  }
}

async function start(
  cleanup: Cleanup,
  { nodes: count, keysPerNode, startGapMs, isMinified, say }: BenchClusterOptions,
): Promise<BenchCluster> {
  const id = createLabId();
  const folder = join(FOLDER, id);
  mkdirSync(folder);
  cleanup.defer(folder, () => rmSync(folder, { recursive: true, force: true }));
  say('compiling');
  const program = await buildProgram(fileURLToPath(import.meta.resolve('./cluster-node.ts')), {
    folder,
    isMinified,
  });
  say('making namespaces');
  reserveArpTable(cleanup, count);
  const network = await createLabNetwork({ cleanup }, { id, hosts: [] });
  const client = await startClient(cleanup, await network.attach('client', CLIENT_HOST), folder);
  const endpoints: Endpoint[] = [];
  for (let n = 0; n < count; n++) endpoints.push(await network.attach(`n${n + 1}`, FIRST_HOST + n));

  say('starting');
  const startedMs = epochMs();
  const launch = (endpoint: Endpoint, node: number) => {
    const config: NodeConfig = {
      controlSocket: join(folder, `${endpoint.name}.sock`),
      contentFile: join(folder, `${endpoint.name}.blob`),
      nodeIp: endpoint.ipv4,
      bootstrapPeer: `http://${endpoints[0]?.ipv4}:${NODE_PORTS.bootstrap}`,
      name: `start ${endpoint.name}`,
      keys: keysPerNode,
      others: count - 1,
    };
    const daemon = startDaemon(
      { cleanup, namespace: endpoint.namespace },
      {
        name: endpoint.name,
        argv: [program, JSON.stringify(config)],
        logPath: join(folder, `${endpoint.name}.log`),
        cwd: folder,
        // As the image has it.
        env: ENGINE_SETTINGS,
      },
    );
    return {
      node,
      endpoint,
      daemon,
      name: config.name,
      control: connectControl<NodeCommands>(config.controlSocket),
    };
  };
  const launched: ReturnType<typeof launch>[] = [];
  for (const [node, endpoint] of endpoints.entries()) {
    if (startGapMs > 0 && node > 0) await Bun.sleep(startGapMs);
    launched.push(launch(endpoint, node));
  }
  const states = async () => Promise.all(launched.map(async ({ control }) => control.state({})));
  const ready = await waitFor(
    'all nodes to be ready',
    async () => {
      const ended = launched.find(({ daemon }) => !daemon.running);
      if (ended !== undefined) return ended;
      const all = await states();
      return all.every(({ readyMs }) => readyMs !== undefined) && all;
    },
    { timeoutMs: START_TIMEOUT_MS, intervalMs: STATE_INTERVAL_MS },
  );
  if ('daemon' in ready) {
    throw new Error(`${ready.endpoint.name} ended: ${(await ready.daemon.log()).slice(-LOG_TAIL)}`);
  }
  say('all are ready');
  await waitFor(
    'all nodes to be connected',
    async () => (await states()).every(({ connectedToAllMs }) => connectedToAllMs !== undefined),
    { timeoutMs: CONNECT_TIMEOUT_MS, intervalMs: CONNECT_INTERVAL_MS },
  ).catch(() => say('not everyone is connected to everyone'));
  const connected = await states();
  const since = (ms: number | undefined) => (ms === undefined ? undefined : ms - startedMs);
  const nodes: BenchNode[] = launched.map((each) => {
    const peerId = ready[each.node]?.id ?? '';
    const position = placeOf(peerIdFromString(peerId).toMultihash().bytes);
    return Object.assign(each, { id: peerId, position });
  });
  return {
    nodes,
    client,
    keysPerNode,
    start: {
      readyMs: connected.map(({ readyMs }) => since(readyMs)),
      connectedToAllMs: connected.map(({ connectedToAllMs }) => since(connectedToAllMs)),
      connectedPeers: connected.map(({ connectedPeers }) => connectedPeers),
      cpuSeconds: await Promise.all(nodes.map(async ({ daemon }) => readCpuSeconds(daemon.pid))),
    },
    live: () => nodes.filter(({ daemon }) => daemon.running),
    say,
    [Symbol.asyncDispose]: async () => cleanup.run(),
  };
}

async function startClient(
  cleanup: Cleanup,
  endpoint: Endpoint,
  folder: string,
): Promise<Control<ClientCommands>> {
  const socket = join(folder, 'client.sock');
  const script = fileURLToPath(import.meta.resolve('./cluster-client.ts'));
  startDaemon(
    { cleanup, namespace: endpoint.namespace },
    { name: 'client', argv: [process.execPath, script, socket], logPath: join(folder, 'client.log') },
  );
  const control = connectControl<ClientCommands>(socket);
  await waitFor('the client', async () => (await control.heads({ urls: [], budgetMs: 0 })).length === 0);
  return control;
}
