import { BINARY } from '../lab/binary.ts';
import type { LimitView } from '../lab/memory-cgroup.ts';
import { readChoices, readScriptOptions, readWholeNumber, requireRoot } from '../lab/script-options.ts';
import { formatHostile } from './hostile/format-hostile.ts';
import { LOADS } from './hostile/loads.ts';
import { runHostile } from './hostile/run-hostile.ts';

const SCRIPT = 'bench';
const LIMIT_VIEWS: readonly LimitView[] = ['hidden', 'seen'];
/** What a daemon takes for its limit when it finds none, in MiB. */
const DEFAULT_LIMIT_MIB = 128;

const USAGE = `Hostile and heavy loads on a node with a memory limit, among real containerds in network namespaces: is it killed, how
much memory does it take, are well-behaved clients answered right, and what becomes of the lookups and pulls of its own
containerd meanwhile, beside the calm before. Needs root and a memory controller. Exits with 1 when a goal is missed: no
kill, at most 110 of 128 MiB charged (TCP's buffers included; with another limit, no more than that), right answers, pulls
that succeed. Times are not goals.

  scripts/bench/run --scenario hostile [--loads LIST] [--seconds 60] [--minutes 10] [--limit-mib 128]
                    [--limit-view hidden|seen] [--binary BINARY]
                    [--containerd-bin-dir FOLDER] [--json]

  --loads    a list with commas; default: each of
${LOADS.map(({ name, summary }) => `    ${name.padEnd(22)} ${summary}`).join('\n')}
  --seconds     of each load
  --minutes     of the load \`all\`
  --limit-view  seen: the daemon finds its limit, as in a container, and Bun's engine collects garbage much sooner; hidden:
                it does not, as where a group around its own is limited, the harder case. Default: hidden with 128 MiB,
                which is what a daemon takes for its limit that finds none; else seen`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string' },
    loads: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    minutes: { type: 'string', default: '10' },
    'limit-mib': { type: 'string', default: '128' },
    'limit-view': { type: 'string' },
    binary: { type: 'string', default: BINARY },
    'containerd-bin-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const names = LOADS.map(({ name }) => name);
const loads = values.loads === undefined ? names : readChoices(SCRIPT, '--loads', values.loads, names);
const limitMib = readWholeNumber(SCRIPT, '--limit-mib', values['limit-mib'], 1);
const view = values['limit-view'] ?? (limitMib === DEFAULT_LIMIT_MIB ? 'hidden' : 'seen');
const [limitView = 'hidden'] = readChoices(SCRIPT, '--limit-view', view, LIMIT_VIEWS);
const seconds = readWholeNumber(SCRIPT, '--seconds', values.seconds, 1);
const minutes = readWholeNumber(SCRIPT, '--minutes', values.minutes, 1);
requireRoot(SCRIPT, 'it makes network namespaces');
const results = await runHostile({
  binary: values.binary,
  limitBytes: limitMib * 1024 * 1024,
  limitView,
  loads,
  seconds,
  minutes,
  containerdBinDir: values['containerd-bin-dir'],
  say: (text) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`),
});
console.log(values.json ? JSON.stringify(results, undefined, 2) : `\n${formatHostile(results)}`);
process.exit(results.every(({ missed }) => missed.length === 0) ? 0 : 1);
