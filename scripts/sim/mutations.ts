import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { FLIGHT_MUTATIONS } from './flights/flight-mutation-list.ts';
import { type Mutation, MUTATIONS } from './mutation-list.ts';
import { TRANSFER_MUTATIONS } from './transfers/transfer-mutation-list.ts';
import { readChoices, readScriptOptions } from '../lab/script-options.ts';

const USAGE = `Do the simulations find mistakes in src/dht, in flights, and in transfers? Makes them one by one in a copy, and demands that the scenario named turns red.

  bun scripts/sim/mutations.ts [--suites dht,flights,transfers] [--only TEXT]`;

const ROOT = resolve(import.meta.dir, '../..');
/** What the short simulation needs of the tree. */
const COPIED = ['src', 'scripts/sim', 'scripts/bench', 'package.json', 'bunfig.toml', 'tsconfig.json'];
/** A mistake may make a scenario endless: that is found, too. */
const TIMEOUT_MS = 120_000;

const NAMES = ['dht', 'flights', 'transfers'] as const;

/** A simulation, and the mistakes that it has to find. */
interface Suite {
  readonly name: (typeof NAMES)[number];
  readonly mutations: readonly Mutation[];
  /** Where their files are. */
  readonly folder: string;
  readonly test: string;
  /** The name of a scenario's tests, how many there are, and what is said when a goal is not met. */
  readonly titleOf: (scenario: string) => string;
  readonly tests: number;
  readonly red: string;
}
const SUITES: readonly Suite[] = [
  {
    name: 'dht',
    mutations: MUTATIONS,
    folder: 'src/dht',
    test: './scripts/sim/sim.test.ts',
    titleOf: (scenario) => `a simulated cluster ${scenario}:`,
    tests: 1,
    red: '"isMet": false',
  },
  {
    name: 'flights',
    mutations: FLIGHT_MUTATIONS,
    folder: 'src',
    test: './scripts/sim/flights/flights.test.ts',
    titleOf: (scenario) => `a simulated flight ${scenario}, slots`,
    tests: 2,
    red: 'expect(problems).toEqual([])',
  },
  {
    name: 'transfers',
    mutations: TRANSFER_MUTATIONS,
    folder: 'src',
    test: './scripts/sim/transfers/transfers.test.ts',
    titleOf: (scenario) => `a simulated transfer ${scenario}:`,
    tests: 1,
    red: 'expect(problems).toEqual([])',
  },
];

const { values } = readScriptOptions({
  script: 'mutations',
  usage: USAGE,
  options: { only: { type: 'string', default: '' }, suites: { type: 'string', default: NAMES.join(',') } },
});
const chosenSuites = readChoices('mutations', '--suites', values.suites, NAMES);
const folder = await mkdtemp(join(tmpdir(), 'spegel-mutations-'));
let failures = 0;
try {
  for (const path of COPIED) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const suite of SUITES.filter(({ name }) => chosenSuites.includes(name))) {
    const chosen = suite.mutations.filter(({ name }) => name.includes(values.only));
    for (const scenario of new Set(chosen.map(({ scenario }) => scenario))) {
      report(
        `unchanged, ${scenario}`,
        (await play(suite, scenario)) === 'green' ? undefined : 'it is red without any mistake',
      );
    }
    for (const mutation of chosen) report(mutation.name, await tryOut(suite, mutation));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? 'All mistakes are found' : `${failures} failed`);
process.exit(failures === 0 ? 0 : 1);

function report(name: string, problem: string | undefined): void {
  if (problem !== undefined) failures++;
  console.log(problem === undefined ? `ok      ${name}` : `FAILED  ${name}: ${problem}`);
}

/** What is wrong; undefined if the mistake was found. */
async function tryOut(
  suite: Suite,
  { file, find, replace, scenario }: Mutation,
): Promise<string | undefined> {
  const path = join(folder, suite.folder, file);
  const text = await readFile(path, 'utf8');
  const count = text.split(find).length - 1;
  if (count !== 1) {
    return `its text occurs ${count} times in ${suite.folder}/${file}, correct the list`;
  }
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
  try {
    const outcome = await play(suite, scenario);
    if (outcome === 'red') return undefined;
    return outcome === 'green' ? `${scenario} stays green` : `${scenario} breaks:\n${outcome}`;
  } finally {
    await writeFile(path, text);
  }
}

/** Plays one scenario of the short simulation. */
async function play({ test, titleOf, tests, red }: Suite, scenario: string): Promise<string> {
  const child = Bun.spawn(['bun', 'test', test, '-t', titleOf(scenario), `--timeout=${TIMEOUT_MS}`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const code = await child.exited;
  if (child.signalCode !== null) return 'red';
  if (code === 0 && errors.includes(` ${tests} pass`)) return 'green';
  // Red is a goal that is not met: a mistake that does not run proves nothing.
  return errors.includes(red) ? 'red' : `${output}${errors}`;
}
