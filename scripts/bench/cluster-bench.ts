import { formatCluster } from './cluster/format-cluster.ts';
import { MEASURES, runCluster } from './cluster/run-cluster.ts';
import { readChoices, readScriptOptions, readWholeNumber, requireRoot } from '../lab/script-options.ts';

const SCRIPT = 'bench';
const USAGE = `Routing among real processes in network namespaces, compiled as the binary is, over a store of bare digests.
Needs root. Figures are comparable within one run only: look at /proc/loadavg first.

  scripts/bench/run --scenario cluster [--nodes 40] [--keys 100] [--measure all] [--lookups 400] [--bulk-keys 2000]
                    [--single-keys 30] [--soak-minutes 60] [--settle-seconds 20] [--idle-seconds 60] [--start-gap-ms 0]
                    [--profile FOLDER] [--json]

  --keys     digests that each node has from the start
  --start-gap-ms  pause between the starts of two nodes; default: all start together
  --measure  a list with commas of: ${MEASURES.join(', ')}
  --profile  writes CPU profiles of the busiest and of a median node for each measure

  idle        CPU of nodes that nobody asks
  lookups     what all nodes and what no node has, asked of the router and by HEAD through the mirror
  single      one new key: from when on it is found elsewhere
  bulk        many new keys of one node: records in place, found, CPU
  withdraw    one node removes its keys: until nobody is told of it
  hang        SIGSTOP: until nobody is told of it; SIGCONT: until all are told again
  kill        SIGKILL of one node; kill-tenth: of 10 % at once
  holders     4 of 5 holders of some keys killed: requests that fail
  soak        content that comes and goes, for long: memory; not among \`all\``;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    nodes: { type: 'string', default: '40' },
    keys: { type: 'string', default: '100' },
    measure: { type: 'string', default: 'all' },
    lookups: { type: 'string', default: '400' },
    'bulk-keys': { type: 'string', default: '2000' },
    'single-keys': { type: 'string', default: '30' },
    'soak-minutes': { type: 'string', default: '60' },
    'settle-seconds': { type: 'string', default: '20' },
    'idle-seconds': { type: 'string', default: '60' },
    'start-gap-ms': { type: 'string', default: '0' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const measures =
  values.measure === 'all'
    ? MEASURES.filter((name) => name !== 'soak')
    : readChoices(SCRIPT, '--measure', values.measure, MEASURES);
const read = (option: Exclude<keyof typeof values, 'help' | 'json' | 'profile' | 'scenario'>, min = 0) =>
  readWholeNumber(SCRIPT, `--${option}`, values[option], min);
const options = {
  nodes: read('nodes', 2),
  keysPerNode: read('keys'),
  lookups: read('lookups'),
  bulkKeys: read('bulk-keys'),
  singleKeys: read('single-keys'),
  soakMinutes: read('soak-minutes'),
  settleSeconds: read('settle-seconds'),
  idleSeconds: read('idle-seconds'),
  startGapMs: read('start-gap-ms'),
};
requireRoot(SCRIPT, 'it makes network namespaces');
const result = await runCluster({
  ...options,
  measures: new Set(measures),
  profileFolder: values.profile,
  say: (text) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`),
});
console.log(values.json ? JSON.stringify(result, undefined, 2) : `\n${formatCluster(result)}`);
