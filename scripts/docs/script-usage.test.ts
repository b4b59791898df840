import { expect, test } from 'bun:test';
import packageJson from '../../package.json' with { type: 'json' };
import { REPOSITORY } from '../chart/render-chart.ts';
import { tryCommand } from '../lab/run-command.ts';

const { version } = packageJson;

/** Scripts that people type, and whether they say in one sentence that they need root: scripts/test leaves that to setup. */
const SCRIPTS: readonly { readonly argv: readonly string[]; readonly needsRoot?: boolean }[] = [
  { argv: ['scripts/setup'], needsRoot: true },
  { argv: ['scripts/demo'], needsRoot: true },
  { argv: ['scripts/test'] },
  { argv: ['scripts/bare-machine'], needsRoot: true },
  { argv: ['bun', 'scripts/lab-up.ts'], needsRoot: true },
  { argv: ['scripts/bench/run'], needsRoot: true },
  { argv: ['scripts/bench/run', '--scenario', 'cluster'], needsRoot: true },
  { argv: ['scripts/bench/run', '--scenario', 'cold'], needsRoot: true },
  { argv: ['scripts/bench/run', '--scenario', 'faults'], needsRoot: true },
  { argv: ['scripts/bench/run', '--scenario', 'hostile'], needsRoot: true },
  { argv: ['scripts/bench/run', '--scenario', 'records'] },
  { argv: ['scripts/bench/run', '--scenario', 'sim'] },
  { argv: ['scripts/build'] },
  { argv: ['scripts/image'] },
  { argv: ['scripts/release'] },
  { argv: ['scripts/chart-helm'] },
  { argv: ['bun', 'scripts/chart-render.ts'] },
  { argv: ['scripts/screenshots'], needsRoot: true },
  { argv: ['scripts/soak-transport'] },
  { argv: ['scripts/fuzz-heads'] },
  { argv: ['bun', 'scripts/reference.ts'] },
  { argv: ['bun', 'scripts/sim/mutations.ts'] },
];

/**
 * Runs a command as a user who may read everything, wherever the clone is, and write nothing: what a script would install,
 * build or start fails.
 */
const AS_A_USER =
  process.getuid?.() === 0
    ? 'setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search'.split(
        ' ',
      )
    : [];
const TIMEOUT_MS = 20_000;

const runAsAUser = async (argv: readonly string[]) =>
  tryCommand([...AS_A_USER, ...argv], { cwd: REPOSITORY, timeoutMs: TIMEOUT_MS });

/** The name that the script's own messages start with. */
const nameOf = ([program = '', script = '']: readonly string[]) =>
  program === 'scripts/bench/run'
    ? 'bench'
    : (program === 'bun' ? script : program).replace(/.*\/|\.ts$/g, '');

test.each(SCRIPTS.map(({ argv }) => [argv.join(' '), argv] as const))(
  '%s --help explains and does nothing',
  async (command, argv) => {
    const { exitCode, stdout, stderr } = await runAsAUser([...argv, '--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(command);
    expect(stdout.split('\n').length).toBeGreaterThan(3);
  },
);

test.each(SCRIPTS.map(({ argv }) => [argv.join(' '), argv] as const))(
  '%s refuses an argument that it does not know, and names --help',
  async (_command, argv) => {
    const { exitCode, stdout, stderr } = await runAsAUser([...argv, '--nope']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${nameOf(argv)}: .*--nope.*--help.*\\n$`));
  },
);

test.each(SCRIPTS.filter(({ needsRoot }) => needsRoot).map(({ argv }) => [argv.join(' '), argv] as const))(
  '%s says in one sentence that it needs root',
  async (_command, argv) => {
    const { exitCode, stdout, stderr } = await runAsAUser(argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^${nameOf(argv)}: run it as root: .*\\n$`));
  },
);

test('scripts/release refuses a tag of another version, and names the right one', async () => {
  const { exitCode, stdout, stderr } = await runAsAUser(['scripts/release', 'v0.0.1']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toBe(
    `release: the tag is v0.0.1, and package.json has version ${version}, whose tag is v${version}\n`,
  );
});

test.each([
  ['scripts/bare-machine 0', 'it takes a number of rounds from 1 to 99'],
  ['scripts/bare-machine 1 2', 'it takes a number of rounds from 1 to 99'],
  ['bun scripts/lab-up.ts 0', "NODES is a whole number from 1 on, not '0'"],
  ['bun scripts/lab-up.ts three', "NODES is a whole number from 1 on, not 'three'"],
  ['bun scripts/lab-up.ts 3 4', "Unexpected argument '4'"],
  ['scripts/bench/run --rounds 1.5', "--rounds is a whole number from 1 on, not '1.5'"],
  ['scripts/bench/run --size-mb=-1', "--size-mb is a number above zero, not '-1'"],
  [
    'scripts/bench/run --scenario hot',
    "--scenario has no 'hot', only warm, miss, serve, all, cluster, cold, faults, page, pull, records, sim, hostile",
  ],
  ['scripts/bench/run --scenario hostile --loads all,x', "--loads has no 'x', only many-layers, "],
  ['scripts/bench/run --scenario cold --with x', "--with has no 'x', only on, off, none"],
  ['scripts/bench/run --scenario cold --apart-seconds x', '--apart-seconds'],
  ['scripts/bench/run --scenario cold --fault kill,x', "--fault has no 'x', only kill, restart, "],
  ['scripts/bench/run --scenario cold --fault kill --with on,none', '--fault takes --with on only'],
  ['scripts/bench/run --scenario cold --fault kill --holders 1', '--fault takes no --holders'],
  ['scripts/bench/run --scenario cold --fault kill --nodes 2', '--fault takes --nodes from 3 on'],
  ['scripts/bench/run --scenario cold --fault-at-share 0', '--fault-at-share is a number above zero'],
  [
    'scripts/bench/run --scenario cold --restart-after-seconds 1',
    '--restart-after-seconds takes --fault, too',
  ],
  ['scripts/bench/run --scenario cold --images 2 --layers 1', '--images takes --layers from 2 on'],
  ['scripts/bench/run --scenario cold --content x', "--content has no 'x', only random, realistic"],
  ['scripts/bench/run --scenario cold --private --with none', '--private takes no --with none'],
  ['scripts/bench/run --scenario cold --private --holders 1', '--private takes no --holders'],
  ['scripts/bench/run --scenario cold --parallel-ranges', '--parallel-ranges takes --containerd-bin-dir'],
  ['scripts/bench/run --scenario faults --faults kill,x', "--faults has no 'x', only kill, kill-only, "],
  ['scripts/bench/run --scenario faults --at-share 0', '--at-share is a number above zero'],
  ['scripts/bench/run --scenario cluster --measure idle,x', "--measure has no 'x', only idle, "],
])('%s is refused with its reason', async (command, reason) => {
  const { exitCode, stderr } = await runAsAUser(command.split(' '));
  expect(exitCode).toBe(2);
  expect(stderr).toContain(reason);
  expect(stderr.trimEnd()).not.toContain('\n');
});
