// What does a load do to a bounded node, and to what the node does for its own containerd meanwhile?
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LimitView } from '../../lab/memory-cgroup.ts';
import type { ProcessUsage } from '../../lab/process-usage.ts';
import { type Summary, summarize } from '../statistics.ts';
import { createHostileCluster, type HostileCluster } from './hostile-cluster.ts';
import type { Load, LoadFigures } from './load.ts';
import { LOADS, seconds } from './loads.ts';
import { type MemoryWatch, watchMemory } from './memory-watch.ts';
import { type ProbeFigures, startProbes } from './probes.ts';

/** What the victim did for its own containerd. */
export interface ProbeSummary {
  readonly lookupMs: Summary | undefined;
  readonly lookupFailures: Readonly<Record<string, number>>;
  readonly pullMs: Summary | undefined;
  readonly pullFailures: readonly string[];
  readonly upstreamRequests: number;
}

/** A load on a node. */
export interface HostileResult {
  readonly load: string;
  readonly limitBytes: number;
  /** How long the load was on, in ms: less than asked for when the daemon ended. */
  readonly lastedMs: number;
  readonly memory: MemoryWatch;
  /** Some seconds after the load; undefined when the daemon has ended. */
  readonly after: Pick<ProcessUsage, 'rssBytes' | 'anonymousBytes'> | undefined;
  /** Before the load. */
  readonly before: Pick<ProcessUsage, 'rssBytes' | 'anonymousBytes'>;
  readonly figures: LoadFigures;
  /** Undefined: it was not measured. */
  readonly calm: ProbeSummary | undefined;
  readonly loaded: ProbeSummary;
  /** Goals that were missed, each as a sentence; empty: all were met. */
  readonly missed: readonly string[];
  /** Load average of the machine before. */
  readonly loadBefore: number;
}

/** Options of runHostile. */
export interface HostileOptions {
  readonly binary: string;
  readonly limitBytes: number;
  readonly limitView: LimitView;
  /** Names of loads. */
  readonly loads: readonly string[];
  readonly seconds: number;
  /** Of the load `all`. */
  readonly minutes: number;
  readonly containerdBinDir?: string | undefined;
  readonly say: (text: string) => void;
}

/** Starts what is said of well-behaved clients that got another status: on a machine that is too busy they go upstream. */
export const REFUSED = 'requests of well-behaved clients that were refused:';
const MIB = 1024 * 1024;
/** What a node with the chart's limit may be charged for at most; with another limit, that itself. */
const CHART_LIMIT_BYTES = 128 * MIB;
const CHART_PEAK_BYTES = 110 * MIB;
/** Longest calm before a load, in ms. */
const CALM_MS = 8_000;
/** After a load, before the node's memory is read, in ms. */
const REST_MS = 5_000;
const SECOND_MS = 1000;
/** The load that lasts for minutes, and what a node may grow by between its second and its last quarter. */
const ALL_LOAD = 'all';
const LONG_REST_MS = 30_000;
const GROWTH = 1.1;

/** Puts each load on a node that was started for it. */
export async function runHostile(options: HostileOptions): Promise<HostileResult[]> {
  const { binary, limitBytes, limitView, containerdBinDir, say } = options;
  const results: HostileResult[] = [];
  for (const bootstrap of ['http', 'dns'] as const) {
    const loads = LOADS.filter(
      (load) => options.loads.includes(load.name) && (load.bootstrap ?? 'http') === bootstrap,
    );
    if (loads.length === 0) continue;
    say(`starting a cluster (${bootstrap})`);
    await using cluster = await createHostileCluster({
      binary,
      limitBytes,
      limitView,
      containerdBinDir,
      bootstrap,
    });
    for (const load of loads) {
      say(load.name);
      const lastsMs = (load.name === ALL_LOAD ? options.minutes * 60 : options.seconds) * SECOND_MS;
      const result = await runLoad(cluster, load, { lastsMs, calmMs: Math.min(CALM_MS, lastsMs) });
      results.push(result);
      say(`${load.name}: ${result.missed.length === 0 ? 'all goals met' : result.missed.join('; ')}`);
    }
  }
  return results;
}

/** Puts a load on the victim, which is started anew. */
export async function runLoad(
  cluster: HostileCluster,
  load: Load,
  { lastsMs, calmMs }: { readonly lastsMs: number; readonly calmMs: number },
): Promise<HostileResult> {
  const { victim } = cluster;
  const { memory } = victim.mirror;
  if (memory === undefined) throw new Error('The victim has no memory limit');
  await cluster.restart();
  const loadBefore = loadavg()[0] ?? 0;
  const calm = calmMs > 0 ? await probe(cluster, calmMs) : undefined;
  const before = await victim.mirror.usage();

  const probes = await startProbes(cluster);
  const watch = watchMemory(victim);
  const startedMs = performance.now();
  const started = await load.start(cluster);
  const done = started.done === undefined ? sleep(lastsMs) : Promise.all([started.done, sleep(lastsMs)]);
  await Promise.race([done, watch.ended]);
  const lastedMs = performance.now() - startedMs;
  watch.loadEnded();
  const loaded = await probes.stop();
  const figures = await started.stop();
  const hasStopped = load.name === 'stop';
  if (victim.mirror.running) await sleep(Math.min(load.name === ALL_LOAD ? LONG_REST_MS : REST_MS, lastsMs));
  const after = victim.mirror.running ? await victim.mirror.usage() : undefined;
  const watched = await watch.stop();
  const result = {
    load: load.name,
    limitBytes: memory.limitBytes,
    lastedMs,
    memory: watched,
    before,
    after,
    figures,
    calm: calm === undefined ? undefined : summarizeProbes(calm),
    loaded: summarizeProbes(loaded),
    loadBefore,
  };
  return { ...result, missed: missedGoals(result, hasStopped) };
}

async function probe(cluster: HostileCluster, lastsMs: number): Promise<ProbeFigures> {
  const probes = await startProbes(cluster);
  await sleep(lastsMs);
  return probes.stop();
}

function summarizeProbes({ lookups, pulls }: ProbeFigures): ProbeSummary {
  return {
    lookupMs: summarize(lookups.tookMs),
    lookupFailures: lookups.failures,
    pullMs: summarize(pulls.tookMs),
    pullFailures: pulls.failures,
    upstreamRequests: pulls.upstreamRequests,
  };
}

const RIGHT: ReadonlySet<string> = new Set(['200', '206']);
/** With these a containerd goes on upstream: what a node may say while it is under attack. */
const SHED: ReadonlySet<string> = new Set(['404', '503']);

function missedGoals(result: Omit<HostileResult, 'missed'>, hasStopped: boolean): string[] {
  const { memory, figures, loaded, limitBytes } = result;
  const missed: string[] = [];
  if (memory.oomKills > 0) missed.push(`killed for its memory after ${seconds(memory.endedAfterMs)}`);
  else if (memory.endedAfterMs !== undefined && !hasStopped) {
    missed.push(`ended after ${seconds(memory.endedAfterMs)}`);
  }
  const goalBytes = limitBytes === CHART_LIMIT_BYTES ? CHART_PEAK_BYTES : limitBytes;
  if (memory.peakBytes > goalBytes) {
    missed.push(`peak ${(memory.peakBytes / MIB).toFixed(0)} MiB, more than ${(goalBytes / MIB).toFixed(0)}`);
  }
  const { fair } = figures;
  if (fair !== undefined) {
    const { wrong, short, reset, statuses } = fair;
    const refused = Object.entries(statuses)
      .filter(([status]) => !RIGHT.has(status) && !(result.load === ALL_LOAD && SHED.has(status)))
      .reduce((sum, [, count]) => sum + count, 0);
    const counts = { wrong, short, reset };
    const bad = Object.entries(counts).filter(([, count]) => count > 0);
    if (bad.length > 0) {
      missed.push(
        `answers of well-behaved clients: ${bad.map(([name, count]) => `${count} ${name}`).join(', ')}`,
      );
    }
    if (refused > 0) missed.push(`${REFUSED} ${refused}`);
  }
  if (loaded.pullFailures.length > 0) {
    missed.push(`${loaded.pullFailures.length} pulls failed: ${loaded.pullFailures[0]}`);
  }
  const [, second = 0, , last = 0] = memory.quarterBytes;
  if (result.load === ALL_LOAD && last > GROWTH * second) {
    missed.push(
      `grows: ${(second / MIB).toFixed(0)} MiB in the second quarter, ${(last / MIB).toFixed(0)} in the last`,
    );
  }
  missed.push(...(figures.faults ?? []));
  return missed;
}
