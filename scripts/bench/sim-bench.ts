import { heapStats } from 'bun:jsc';

import { formatSim, type SimReport } from '../sim/format-sim.ts';
import { SCENARIOS } from '../sim/run-scenario.ts';
import {
  readChoices,
  readPositiveNumber,
  readScriptOptions,
  readWholeNumber,
} from '../lab/script-options.ts';

const SCRIPT = 'bench';
const USAGE = `The DHT's own modules among simulated nodes: a virtual clock, a modelled network (latency, loss, machines and processes
that go, partitions). The same figures for the same seed; times are the model's, not this machine's.

  scripts/bench/run --scenario sim [--nodes 100] [--seed 1] [--only NAMES] [--keys 5] [--lookups 500] [--minutes 5]
                    [--churn-percent 1] [--max-connections 1000] [--json]

  --only   scenarios, a list with commas; all if it is left out:
${SCENARIOS.map(({ name, question }) => `    ${name.padEnd(11)} ${question}`).join('\n')}
  --keys   digests that each node has alone; as many more for each that five nodes have`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    only: { type: 'string' },
    nodes: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    keys: { type: 'string', default: '5' },
    lookups: { type: 'string', default: '500' },
    minutes: { type: 'string', default: '5' },
    'churn-percent': { type: 'string', default: '1' },
    'max-connections': { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
});
const names = SCENARIOS.map(({ name }) => name);
const chosen = values.only === undefined ? names : readChoices(SCRIPT, '--only', values.only, names);
const scenarios = SCENARIOS.filter(({ name }) => chosen.includes(name));
const options = {
  nodes: readWholeNumber(SCRIPT, '--nodes', values.nodes, 10),
  seed: readPositiveNumber(SCRIPT, '--seed', values.seed),
  maxConnections: readPositiveNumber(SCRIPT, '--max-connections', values['max-connections']),
  keysPerNode: readPositiveNumber(SCRIPT, '--keys', values.keys),
  lookups: readPositiveNumber(SCRIPT, '--lookups', values.lookups),
  minutes: readPositiveNumber(SCRIPT, '--minutes', values.minutes),
  churnPerMinute: readPositiveNumber(SCRIPT, '--churn-percent', values['churn-percent']) / 100,
};

const reports: SimReport[] = [];
for (const { name, run } of scenarios) {
  Bun.gc(true);
  const heapBefore = heapStats().heapSize;
  const cpuBefore = process.cpuUsage().user;
  console.error(`${new Date().toISOString().slice(11, 19)} ${name}`);
  const { goals, figures, cluster } = await run(options);
  Bun.gc(true);
  reports.push({
    scenario: name,
    goals,
    figures,
    virtualSeconds: cluster.time.nowMs() / 1000,
    heapBytesPerNode: (heapStats().heapSize - heapBefore) / cluster.nodes.length,
    cpuSeconds: (process.cpuUsage().user - cpuBefore) / 1e6,
  });
}
console.log(values.json ? JSON.stringify({ options, reports }, undefined, 2) : `\n${formatSim(reports)}`);
process.exit(reports.every(({ goals }) => goals.every(({ isMet }) => isMet)) ? 0 : 1);
