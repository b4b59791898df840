// How does routing do among 40 and 100 nodes that are real processes: how soon, for how much, and when some fail?
import { loadavg } from 'node:os';
import { type BenchCluster, startBenchCluster } from './bench-cluster.ts';
import { spreadOf } from './cpu.ts';
import { type BulkResult, measureBulk } from './measure-bulk.ts';
import {
  measureHang,
  measureHolders,
  measureKill,
  measureWithdraw,
  type RequestFigures,
  type ReturnResult,
} from './measure-faults.ts';
import { type IdleResult, measureIdle, measureMemory, type MemoryResult } from './measure-idle.ts';
import { type LookupsResult, measureLookups } from './measure-lookups.ts';
import type { NamedResult } from './measure-naming.ts';
import { measureSingle, type SingleResult } from './measure-single.ts';
import { measureSoak, type SoakResult } from './measure-soak.ts';
import { profileNodes } from './profile-nodes.ts';

/** What can be measured, in the order in which it is. */
export const MEASURES = [
  'idle',
  'lookups',
  'single',
  'bulk',
  'withdraw',
  'hang',
  'kill',
  'kill-tenth',
  'holders',
  'soak',
] as const;

/** One of MEASURES. */
export type Measure = (typeof MEASURES)[number];

/** Options of runCluster. */
export interface ClusterOptions {
  readonly nodes: number;
  /** Keys that each node has from the start. */
  readonly keysPerNode: number;
  readonly measures: ReadonlySet<Measure>;
  /** Pause between the starts of two nodes, in ms. */
  readonly startGapMs: number;
  readonly settleSeconds: number;
  readonly idleSeconds: number;
  readonly lookups: number;
  readonly bulkKeys: number;
  readonly singleKeys: number;
  readonly soakMinutes: number;
  /** Folder for CPU profiles, one per measure and kind of node. The nodes are then compiled with the names of functions. */
  readonly profileFolder?: string | undefined;
  readonly say: (text: string) => void;
}

/** What came out; what was not measured is absent. Times in ms. */
export interface ClusterResult {
  readonly nodes: number;
  readonly keysPerNode: number;
  /** Load average of the machine before: others disturb. */
  readonly loadBefore: number;
  /** Measures that came to no end, and why. */
  readonly failures: readonly string[];
  readonly start: {
    readonly allReadyMs: number | undefined;
    readonly allConnectedMs: number | undefined;
    readonly fewestConnectedPeers: number;
    readonly cpuSecondsPerNode: { readonly mean: number; readonly max: number };
  };
  readonly idle?: IdleResult;
  readonly lookups?: LookupsResult;
  readonly single?: SingleResult;
  readonly bulk?: BulkResult;
  readonly memory?: MemoryResult;
  readonly withdraw?: NamedResult;
  readonly hang?: { readonly hung: NamedResult; readonly returned: ReturnResult };
  readonly kill?: NamedResult;
  readonly killTenth?: NamedResult;
  readonly holders?: readonly RequestFigures[];
  readonly soak?: SoakResult;
}

const TENTH = 0.1;

/** Starts the nodes and measures. */
export async function runCluster(options: ClusterOptions): Promise<ClusterResult> {
  const { measures, profileFolder, say } = options;
  const loadBefore = loadavg()[0] ?? 0;
  await using cluster = await startBenchCluster({
    nodes: options.nodes,
    keysPerNode: options.keysPerNode,
    startGapMs: options.startGapMs,
    isMinified: profileFolder === undefined,
    say,
  });
  const failures: string[] = [];
  const maybe = async <T>(measure: Measure, work: () => Promise<T>): Promise<T | undefined> => {
    if (!measures.has(measure)) return undefined;
    say(measure);
    try {
      const result =
        profileFolder === undefined
          ? await work()
          : await profileNodes(cluster, { folder: profileFolder, measure }, work);
      // So that a run that is broken off was not for nothing.
      say(`${measure}: ${JSON.stringify(result)}`);
      return result;
    } catch (error) {
      // The others are still worth measuring.
      failures.push(`${measure}: ${String(error)}`);
      say(`${measure} failed: ${String(error)}`);
      return undefined;
    }
  };
  const name = `${process.pid}`;
  say(`start: ${JSON.stringify(startFigures(cluster))}`);
  const results = {
    idle: await maybe('idle', async () => measureIdle(cluster, options)),
    lookups: await maybe('lookups', async () => measureLookups(cluster, { lookups: options.lookups, name })),
    single: await maybe('single', async () => measureSingle(cluster, { keys: options.singleKeys, name })),
    bulk: await maybe('bulk', async () => measureBulk(cluster, { keys: options.bulkKeys, name })),
    memory: await measureMemory(cluster),
    withdraw: await maybe('withdraw', async () => measureWithdraw(cluster)),
    hang: await maybe('hang', async () => measureHang(cluster)),
    kill: await maybe('kill', async () => measureKill(cluster, 1)),
    killTenth: await maybe('kill-tenth', async () => measureKill(cluster, Math.ceil(options.nodes * TENTH))),
    holders: await maybe('holders', async () => measureHolders(cluster, name)),
    soak: await maybe('soak', async () => measureSoak(cluster, { minutes: options.soakMinutes, name })),
  };
  return {
    nodes: options.nodes,
    keysPerNode: options.keysPerNode,
    loadBefore,
    failures,
    start: startFigures(cluster),
    // JSON leaves out what is undefined; so does this.
    ...(Object.fromEntries(
      Object.entries(results).filter(([, value]) => value !== undefined),
    ) as Partial<ClusterResult>),
  };
}

function startFigures({ start }: BenchCluster): ClusterResult['start'] {
  const latest = (times: readonly (number | undefined)[]) =>
    times.every((ms) => ms !== undefined) ? Math.max(...times) : undefined;
  return {
    allReadyMs: latest(start.readyMs),
    allConnectedMs: latest(start.connectedToAllMs),
    fewestConnectedPeers: Math.min(...start.connectedPeers),
    cpuSecondsPerNode: spreadOf(start.cpuSeconds),
  };
}
