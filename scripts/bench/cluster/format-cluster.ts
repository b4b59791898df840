import { formatTable } from '../../../src/terminal/format-table.ts';
import type { Summary } from '../statistics.ts';
import type { LookupFigures } from './measure-lookups.ts';
import type { NamedResult } from './measure-naming.ts';
import type { ClusterResult } from './run-cluster.ts';

const MIB = 1024 * 1024;
const NEVER = 'not in time';

/** The result as a table of one figure per row. */
export function formatCluster(result: ClusterResult): string {
  const { start, idle, lookups, single, bulk, memory, withdraw, hang, kill, killTenth, holders, soak } =
    result;
  const rows: string[][] = [
    [
      'CLUSTER',
      `${result.nodes} nodes, ${result.keysPerNode} keys each (load before ${result.loadBefore.toFixed(1)})`,
    ],
    ['all ready', seconds(start.allReadyMs)],
    ['all connected to all', `${seconds(start.allConnectedMs)}; fewest peers ${start.fewestConnectedPeers}`],
    ['CPU to get there, per node', spread(start.cpuSecondsPerNode, 's')],
  ];
  const add = (label: string, value: string) => rows.push([label, value]);
  if (idle !== undefined) {
    const { memory: idleMemory } = idle;
    add(
      'idle, per node and minute',
      `${spread(idle.cpuSecondsPerMinute, 'CPU s', 3)} over ${idle.secondsLong.toFixed(0)} s`,
    );
    const { min, median, max } = idleMemory.connectedPeers;
    add('idle, connected peers', `${median} (${min}-${max})`);
    add('idle, RSS', mib(idleMemory.rssBytes));
    add('idle, anonymous', mib(idleMemory.anonymousBytes));
  }
  if (lookups !== undefined) {
    add('lookup, router, present', lookup(lookups.router.present));
    add('lookup, router, absent', lookup(lookups.router.absent));
    add('HEAD through mirror, present', lookup(lookups.mirror.present));
    add('HEAD through mirror, absent', lookup(lookups.mirror.absent));
  }
  if (single !== undefined) {
    const shares = single.firstQuestions
      .filter(({ asked }) => asked > 0)
      .map(({ afterMs, asked, found }) => `${afterMs} ms ${((found / asked) * 100).toFixed(1)} %`);
    add('new key, first question after', shares.join(', '));
    add('new key, 99 % from', single.foundFromMs === undefined ? NEVER : `${single.foundFromMs} ms`);
    add('new key, who keeps asking', `${ms(single.againMs)}; never ${single.againNever}`);
  }
  if (bulk !== undefined) {
    add(`${bulk.keys} keys, 1 of nearest`, ms(bulk.firstOfNearestMs));
    add(`${bulk.keys} keys, 3 nearest`, ms(bulk.nearestThreeMs));
    add(
      `${bulk.keys} keys, 20 nearest`,
      `${ms(bulk.allNearestMs)}; ${bulk.sampledInPlace} of ${bulk.sampled}`,
    );
    add('records in place at the end', `${(bulk.shareInPlace * 100).toFixed(2)} %`);
    add('CPU, provider', `${bulk.providerCpuSeconds.toFixed(2)} s in ${seconds(bulk.lastedMs)}`);
    add(
      'CPU, others',
      `${spread(bulk.otherCpuSeconds, 's')}, watching up to ${bulk.watchingSeconds.toFixed(2)} of it`,
    );
    add('found by asking each 200 ms', `${ms(bulk.foundMs)}; ${bulk.found} of ${bulk.sampled}`);
  }
  if (memory !== undefined) {
    add('after that, RSS', mib(memory.rssBytes));
    add('after that, anonymous', mib(memory.anonymousBytes));
    add('records per node', `${memory.records.median} (max ${memory.records.max})`);
  }
  if (withdraw !== undefined) add('withdrawn, last told', named(withdraw));
  if (hang !== undefined) {
    add('SIGSTOP, last told', named(hang.hung));
    add('SIGCONT, told again', `${ms(hang.returned.namedAgainMs)}; never ${hang.returned.never}`);
  }
  if (kill !== undefined) add('SIGKILL, last told', named(kill));
  if (killTenth !== undefined) add('10 % SIGKILL, last told', named(killTenth));
  for (const { fromMs, toMs, requests, failed, tookMs } of holders ?? []) {
    add(
      `4 of 5 holders killed, ${fromMs / 1000}-${toMs / 1000} s`,
      `${failed} of ${requests} requests fail; ${ms(tookMs)}`,
    );
  }
  for (const { minute, rssBytes, anonymousBytes } of soak?.samples ?? []) {
    add(`after ${minute.toFixed(0)} minutes`, `RSS ${mib(rssBytes)}, anonymous ${mib(anonymousBytes)}`);
  }
  return formatTable(rows);
}

function mib({ median, max }: { readonly median: number; readonly max: number }): string {
  return `${(median / MIB).toFixed(0)} (max ${(max / MIB).toFixed(0)}) MiB`;
}

function seconds(value: number | undefined): string {
  return value === undefined ? NEVER : `${(value / 1000).toFixed(1)} s`;
}

function spread(
  { mean, max }: { readonly mean: number; readonly max: number },
  unit: string,
  digits = 2,
): string {
  return `${mean.toFixed(digits)} ${unit} (max ${max.toFixed(digits)})`;
}

function ms(summary: Summary | undefined): string {
  if (summary === undefined) return NEVER;
  const digits = summary.max < 100 ? 1 : 0;
  const [p50, p99, max] = [summary.p50, summary.p99, summary.max].map((value) => value.toFixed(digits));
  return `p50 ${p50}, p99 ${p99}, max ${max} ms`;
}

function lookup({ tookMs, within20Ms, right, cpuMsPerLookup }: LookupFigures): string {
  const share = (value: number) => `${(value * 100).toFixed(1)} %`;
  return `${ms(tookMs)}; in 20 ms ${share(within20Ms)}, right ${share(right)}, ${cpuMsPerLookup.toFixed(1)} CPU ms`;
}

function named({ lastMs, medianLastMs, lookups, named: count, isStillNamed }: NamedResult): string {
  const end = isStillNamed ? 'STILL, ' : '';
  return `${end}${seconds(lastMs)} (half of the nodes ${seconds(medianLastMs)}); ${count} of ${lookups} lookups`;
}
