import {
  readChoices,
  readPositiveNumber,
  readScriptOptions,
  readWholeNumber,
} from '../../lab/script-options.ts';
import { FLIGHT_SCENARIOS, playScenario } from './flight-scenarios.ts';
import { type FlightPlay, type FlightResult, playFlight } from './play-flight.ts';
import { randomPlay, randomProblems } from './random-play.ts';
import type { SlotRule } from './sim-containerd.ts';

const SCRIPT = 'run-flights';
const RULES = ['per-layer', 'per-request'] as const;
const MIB_PER_LAYER = 25;
const PROGRESS_EVERY_RUNS = 1000;
const USAGE = `Many nodes pull one image: production's flights and transfer, simulated containerds and links, a virtual clock. The same
figures for the same seed; times are the model's.

  scripts/sim/flights/run [--nodes 100] [--layers 4] [--image-mib 100] [--upstream 200] [--link 1000] [--spread-ms 10]
                          [--slots per-layer,per-request] [--holders 0] [--images 1] [--unseen-percent 0] [--seed 1] [--off] [--trace] [--json]
  scripts/sim/flights/run --scenarios [--only <part of a name>] [--seed 1] [--trace]
  scripts/sim/flights/run --random 10000 [--seed 1] [--trace]

  --upstream, --link  Mbit/s of upstream's link, and of each node's, in each direction
  --slots             how containerd counts its downloads: per-layer (1.6 to 2.0), per-request (2.1 and later)
  --unseen-percent    what half of the nodes do not see of the others
  --off               without flights: each node goes upstream, or to a node that has all of it
  --trace             what each node logs, with the virtual time in ms, and when its containerd goes upstream
  --random            so many pulls with whatever may go wrong, from that seed on: no pull may fail or hang, no node may get a
                      byte that its parent does not have, no request may be held for longer than containerd waits
  --scenarios         plays what the tests play: ${FLIGHT_SCENARIOS.length} scenarios`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    nodes: { type: 'string', default: '100' },
    layers: { type: 'string', default: '4' },
    'image-mib': { type: 'string', default: String(4 * MIB_PER_LAYER) },
    upstream: { type: 'string', default: '200' },
    link: { type: 'string', default: '1000' },
    'spread-ms': { type: 'string', default: '10' },
    slots: { type: 'string', default: RULES.join(',') },
    holders: { type: 'string', default: '0' },
    images: { type: 'string', default: '1' },
    'unseen-percent': { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    off: { type: 'boolean', default: false },
    scenarios: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    random: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const chosen = readChoices(SCRIPT, '--slots', values.slots, RULES);
const rules = RULES.filter((rule) => chosen.includes(rule));
const seed = readPositiveNumber(SCRIPT, '--seed', values.seed);
const trace = values.trace ? (line: string) => console.log(line) : undefined;
let isGood = true;

if (values.scenarios) {
  for (const scenario of FLIGHT_SCENARIOS.filter(({ name }) => name.includes(values.only))) {
    for (const slotRule of rules) {
      const { result, problems } = await playScenario(scenario, { seed, slotRule, trace });
      isGood &&= problems.length === 0;
      print(scenario.name, slotRule, result);
      for (const problem of problems) console.log(`  PROBLEM ${problem}`);
    }
  }
} else if (values.random !== '0') {
  const runs = readWholeNumber(SCRIPT, '--random', values.random, 1);
  const sums = { copies: 0, makespan: 0, broken: 0 };
  for (let run = 0; run < runs; run++) {
    const result = await playFlight({ ...randomPlay(seed + run), trace });
    const problems = randomProblems(result);
    isGood &&= problems.length === 0;
    for (const problem of problems) console.log(`PROBLEM of seed ${seed + run}: ${problem}`);
    sums.copies += result.copies;
    // Where all nodes have a fault there is none.
    sums.makespan += Number.isFinite(result.makespan) ? result.makespan : 1;
    sums.broken += result.broken;
    if ((run + 1) % PROGRESS_EVERY_RUNS === 0) console.error(`${run + 1} of ${runs} runs`);
  }
  const mean = (sum: number) => (sum / runs).toFixed(2);
  console.log(
    `${runs} runs ${isGood ? 'without a problem' : 'WITH PROBLEMS'}: on average copies ${mean(sums.copies)}, makespan ${mean(sums.makespan)} x, bodies that broke ${mean(sums.broken)}`,
  );
} else {
  const play: Omit<FlightPlay, 'slotRule'> = {
    seed,
    nodes: readWholeNumber(SCRIPT, '--nodes', values.nodes, 1),
    layers: readWholeNumber(SCRIPT, '--layers', values.layers, 1),
    imageMib: readPositiveNumber(SCRIPT, '--image-mib', values['image-mib']),
    upstreamMbits: readPositiveNumber(SCRIPT, '--upstream', values.upstream),
    linkMbits: readPositiveNumber(SCRIPT, '--link', values.link),
    spreadMs: readWholeNumber(SCRIPT, '--spread-ms', values['spread-ms'], 0),
    holders: readWholeNumber(SCRIPT, '--holders', values.holders, 0),
    images: readWholeNumber(SCRIPT, '--images', values.images, 1),
    unseenShare: readWholeNumber(SCRIPT, '--unseen-percent', values['unseen-percent'], 0) / 100,
    isOn: !values.off,
    trace,
  };
  for (const slotRule of rules) {
    const result = await playFlight({ ...play, slotRule });
    isGood &&= result.failed === 0 && result.violations.length === 0;
    print(`${play.nodes} nodes, ${play.layers} layers`, slotRule, result);
  }
}
process.exit(isGood ? 0 : 1);

function print(name: string, slotRule: SlotRule, result: FlightResult): void {
  if (values.json) {
    console.log(JSON.stringify({ name, slotRule, ...result }));
    return;
  }
  const { copies, makespan, longestHeldMs, messages, failed, broken, repeated, violations, outcomes } =
    result;
  const figures = [
    `copies ${copies.toFixed(2)}`,
    `makespan ${makespan.toFixed(2)} x`,
    `held ${Math.round(longestHeldMs)} ms`,
    `messages ${messages.toFixed(1)}`,
    `failed ${failed}`,
    `broken ${broken} (again ${repeated})`,
    `wrong ${violations.length}`,
    Object.entries(outcomes)
      .map(([outcome, count]) => `${outcome} ${count}`)
      .join(' '),
  ];
  console.log(`${name.padEnd(36)} ${slotRule.padEnd(11)} ${figures.join(', ')}`);
}
