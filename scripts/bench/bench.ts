import { BINARY } from '../lab/binary.ts';
import {
  readPositiveNumber,
  readScriptOptions,
  readWholeNumber,
  refuseArguments,
  requireRoot,
} from '../lab/script-options.ts';
import { startContenders } from './contender.ts';
import { runMiss } from './miss.ts';
import { formatMiss, formatWarm } from './report.ts';
import { formatServe, runServe } from './serve.ts';
import { runWarm } from './warm.ts';

const USAGE = `Pulls through real containerds, side by side in one run, interleaved: spegel, another binary, no mirror.
Times are comparable within one run only.

  scripts/bench/run [--scenario warm|miss|serve|all] [--rounds 5] [--size-mb 400] [--upstream-mbit RATE] [--other BINARY]
                    [--binary BINARY] [--containerd-bin-dir FOLDER] [--json]

  --upstream-mbit  what the registry sends, in Mbit/s; default: as fast as the machine

  warm  one node has the image, another one pulls it: time, CPU of both mirrors, memory
  miss  nobody has it, upstream serves: what asking the mirror first costs
  serve HTTP clients ask a node that has an image, and a node that does not: rates, CPU per GB and per small request
        (--requests, default 4000, of each kind); not part of all

Many nodes that want an image at the same moment; see --help:

  scripts/bench/run --scenario cold [--nodes 3] [--upstream-mbit 200] [--layers 4] [--size-mb 100] [--json]

What a fault costs a pull, such as a node that is killed in the middle; see --help:

  scripts/bench/run --scenario faults [--faults kill,reset,...] [--rounds 3] [--size-mb 60] [--json]

What a pull of many small layers costs the mirror, and when other nodes find them; see --help:

  scripts/bench/run --scenario pull [--nodes 6] [--images 20] [--layers 100] [--other BINARY] [--json]

Routing, with processes compiled from this folder (no containerd, no binary needed); see --help of each:

  scripts/bench/run --scenario cluster [--nodes 40] [--keys 100] [--measure idle,lookups,...] [--json]
  scripts/bench/run --scenario records [--records 20000,100000] [--json]
  scripts/bench/run --scenario sim [--nodes 1000] [--json]

What the debug page costs a node while it is open; see --help:

  scripts/bench/run --scenario page [--peers 1000] [--tags 10000] [--streams 8] [--json]

What hostile and heavy loads do to a node with a memory limit, with the binary, among real containerds:

  scripts/bench/run --scenario hostile [--loads many-layers,...] [--seconds 60] [--limit-mib 128] [--json]`;

const SCRIPT = 'bench';
const SCENARIOS = ['warm', 'miss', 'serve', 'all'];
/** Programs of their own, which scripts/bench/run starts. */
const OTHER_SCENARIOS = ['cluster', 'cold', 'faults', 'page', 'pull', 'records', 'sim', 'hostile'];
const MB = 1e6;
/** Upstream, the holder and the puller have it once each as content and, unpacked, once more; and some slack. */
const COPIES = 6;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    scenario: { type: 'string', default: 'all' },
    rounds: { type: 'string', default: '5' },
    'size-mb': { type: 'string', default: '400' },
    requests: { type: 'string', default: '4000' },
    'upstream-mbit': { type: 'string' },
    other: { type: 'string' },
    binary: { type: 'string', default: BINARY },
    'containerd-bin-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
if (!SCENARIOS.includes(values.scenario)) {
  const all = [...SCENARIOS, ...OTHER_SCENARIOS].join(', ');
  refuseArguments(SCRIPT, `--scenario has no '${values.scenario}', only ${all}`);
}
const rounds = readWholeNumber(SCRIPT, '--rounds', values.rounds, 1);
const sizeBytes = readPositiveNumber(SCRIPT, '--size-mb', values['size-mb']) * MB;
const upstreamMbit =
  values['upstream-mbit'] === undefined
    ? undefined
    : readPositiveNumber(SCRIPT, '--upstream-mbit', values['upstream-mbit']);
requireRoot(SCRIPT, 'it makes network namespaces');

await using stack = new AsyncDisposableStack();
const say = (text: string) => console.error(text);
const contenders = await startContenders(stack, {
  binary: values.binary,
  other: values.other,
  containerdBinDir: values['containerd-bin-dir'],
  roomBytes: sizeBytes * COPIES,
});
if (upstreamMbit !== undefined) {
  await Promise.all(contenders.map(({ lab }) => lab.upstream.endpoint.shape({ egressMbit: upstreamMbit })));
}
const version = contenders[0]?.puller.containerd.version;
say(
  `containerd ${version}, ${navigator.hardwareConcurrency} cores, ${rounds} rounds, ${values['size-mb']} MB, upstream ${
    upstreamMbit === undefined ? 'as fast as the machine' : `${upstreamMbit} Mbit/s`
  }`,
);
const runs = (scenario: string) =>
  values.scenario === scenario || (values.scenario === 'all' && scenario !== 'serve');
const warm = runs('warm') ? await runWarm(contenders, { rounds, sizeBytes, say }) : undefined;
const miss = runs('miss') ? await runMiss(contenders, { rounds, say }) : undefined;
const requests = readWholeNumber(SCRIPT, '--requests', values.requests, 1);
const serve = runs('serve') ? await runServe(contenders, { rounds, sizeBytes, requests, say }) : undefined;

if (values.json) {
  console.log(JSON.stringify({ containerd: version, rounds, sizeBytes, warm, miss, serve }, undefined, 2));
} else {
  if (warm !== undefined) console.log(`\n${formatWarm(warm)}`);
  if (miss !== undefined) console.log(`\n${formatMiss(miss)}`);
  if (serve !== undefined) console.log(`\n${formatServe(serve)}`);
}
