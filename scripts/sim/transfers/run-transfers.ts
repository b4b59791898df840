import { readScriptOptions, readWholeNumber } from '../../lab/script-options.ts';
import { playTransfers } from './play-transfers.ts';
import { randomPlay } from './random-play.ts';
import type { TransferResult } from './transfer-play.ts';
import { playScenario, TRANSFER_SCENARIOS } from './transfer-scenarios.ts';

const SCRIPT = 'run-transfers';
const PROGRESS_EVERY_REQUESTS = 10_000;
const USAGE = `One node asks peers, with whatever may go wrong: production's transfer, simulated peers and a simulated containerd, a virtual
clock. The same figures for the same seed; times are the model's.

  scripts/sim/transfers/run [--requests 10000] [--seed 1] [--trace] [--json]
  scripts/sim/transfers/run --scenarios [--only <part of a name>] [--seed 1] [--trace] [--json]

  --requests   of containerd, at least so many, from that seed on: some 200 for each seed. No manifest or small blob may be wrong, no
               peer may give wrong bytes of a blob again once that is found out, no pull may stay broken, each request ends in time,
               nothing is left open, and what the engine remembers is bounded. Exits with 1 if anything of that happens
  --scenarios  plays what the tests play: ${TRANSFER_SCENARIOS.length} scenarios
  --trace      what is asked, got and refused, with the virtual time in ms`;

const { values } = readScriptOptions({
  script: SCRIPT,
  usage: USAGE,
  options: {
    requests: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    scenarios: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const seed = readWholeNumber(SCRIPT, '--seed', values.seed, 0);
const trace = values.trace ? (line: string) => console.log(line) : undefined;
const isGood = values.scenarios
  ? await playScenarios()
  : await playRandom(readWholeNumber(SCRIPT, '--requests', values.requests, 1));
process.exit(isGood ? 0 : 1);

async function playScenarios(): Promise<boolean> {
  let isGood = true;
  for (const scenario of TRANSFER_SCENARIOS.filter(({ name }) => name.includes(values.only))) {
    const { result, problems } = await playScenario(scenario, { seed, trace });
    isGood &&= problems.length === 0;
    print(scenario.name, result);
    for (const problem of problems) console.log(`  PROBLEM ${problem}`);
  }
  return isGood;
}

async function playRandom(requests: number): Promise<boolean> {
  const results: TransferResult[] = [];
  let played = 0;
  let faulty = 0;
  for (let run = 0; played < requests; run++) {
    const result = await playTransfers({ ...randomPlay(seed + run), trace });
    if (result.violations.length > 0) faulty++;
    for (const violation of result.violations) console.log(`PROBLEM of seed ${seed + run}: ${violation}`);
    const before = played;
    played += result.requests;
    results.push(result);
    const isStep =
      Math.floor(before / PROGRESS_EVERY_REQUESTS) < Math.floor(played / PROGRESS_EVERY_REQUESTS);
    if (isStep) console.error(`${played} of ${requests} requests`);
  }
  print(`${results.length} seeds, ${faulty} with problems`, sumOf(results));
  return faulty === 0;
}

function sumOf(results: readonly TransferResult[]): TransferResult {
  const sum = (of: (result: TransferResult) => number) => results.reduce((all, each) => all + of(each), 0);
  const most = (of: (result: TransferResult) => number) => Math.max(...results.map(of));
  return {
    requests: sum(({ requests }) => requests),
    pulls: sum(({ pulls }) => pulls),
    tries: sum(({ tries }) => tries),
    mostTries: most(({ mostTries }) => mostTries),
    refused: sum(({ refused }) => refused),
    convicted: sum(({ convicted }) => convicted),
    brokenOff: sum(({ brokenOff }) => brokenOff),
    upstreamShare: sum(({ upstreamShare }) => upstreamShare) / results.length,
    asked: sum(({ asked }) => asked),
    mostAsked: most(({ mostAsked }) => mostAsked),
    askedOf: [],
    wrongOf: [],
    longestFirstByteMs: most(({ longestFirstByteMs }) => longestFirstByteMs),
    longestSmallMs: most(({ longestSmallMs }) => longestSmallMs),
    longestSilenceMs: most(({ longestSilenceMs }) => longestSilenceMs),
    mostEntries: most(({ mostEntries }) => mostEntries),
    virtualSeconds: sum(({ virtualSeconds }) => virtualSeconds),
    violations: results.flatMap(({ violations }) => violations),
  };
}

function print(name: string, result: TransferResult): void {
  if (values.json) {
    console.log(JSON.stringify({ name, ...result }));
    return;
  }
  const { requests, pulls, tries, mostTries, refused, convicted, brokenOff, upstreamShare, asked } = result;
  const figures = [
    `requests ${requests}`,
    `pulls ${pulls} (tries ${tries}, of one ${mostTries})`,
    `wrong blobs ${refused} (found out ${convicted})`,
    `broken off ${brokenOff}`,
    `from upstream ${Math.round(upstreamShare * 100)} %`,
    `peers asked ${asked} (for one request ${result.mostAsked})`,
    `longest ms: first byte ${Math.round(result.longestFirstByteMs)}, small ${Math.round(result.longestSmallMs)}, silence ${Math.round(result.longestSilenceMs)}`,
    `remembered ${result.mostEntries}`,
    `virtual s ${Math.round(result.virtualSeconds)}`,
  ];
  console.log(`${name.padEnd(38)} ${figures.join(', ')}`);
}
