import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countJunit, countNeeds, type TestCounts } from './test-run/count-junit.ts';
import { createToolPath } from './test-run/tool-path.ts';

const SECOND_MS = 1000;
/** An end-to-end test starts a cluster and moves hundreds of MB; two cores that others use too make that slow. */
const E2E_TIMEOUT_MS = 300 * SECOND_MS;
/** What to do about a need that tests were skipped for. */
const REMEDIES: Readonly<Record<string, string>> = {
  helm: 'put a helm 3 or 4 on the PATH, or Go: scripts/chart-helm builds it',
  promtool: "put Prometheus' promtool on the PATH; Debian's package prometheus has it",
  'a memory controller': 'its control groups have none: enable the memory controller of the machine',
};

/** A thing to run; with `reports` it is a test run that writes its counts, else it counts as a single test. */
interface Step {
  readonly name: string;
  readonly argv: readonly string[];
  readonly reports?: boolean;
}

/** What came out of a step. */
interface StepResult extends TestCounts {
  readonly name: string;
  readonly needs: ReadonlyMap<string, number>;
}

/** `bun run ok` step by step, then the binary and the tests that use it. */
const STEPS: readonly Step[] = [
  { name: 'types', argv: ['bun', 'run', 'types'] },
  { name: 'lint', argv: ['bun', 'run', 'lint'] },
  { name: 'format', argv: ['bun', 'run', 'format:check'] },
  { name: 'unused', argv: ['bun', 'run', 'unused'] },
  { name: 'unit tests', argv: ['bun', 'run', 'test'], reports: true },
  { name: 'build', argv: ['scripts/build'] },
  {
    name: 'end-to-end tests',
    // With the leading ./ because bunfig.toml's test root is src: without it nothing in scripts would be found.
    argv: ['bun', 'test', './scripts/e2e', '--parallel=2', `--timeout=${E2E_TIMEOUT_MS}`],
    reports: true,
  },
];

const folder = await mkdtemp(join(tmpdir(), 'spegel-test-'));
const results: StepResult[] = [];
try {
  const packages = await readFile(join(import.meta.dir, 'packages'), 'utf8');
  const path = await createToolPath({
    folder: join(folder, 'path'),
    packages,
    optional: [
      ['helm', 'version'],
      ['promtool', '--version'],
    ],
  });
  for (const step of STEPS) results.push(await runStep(step, { folder, path }));
} finally {
  await rm(folder, { recursive: true, force: true });
}

console.log('');
for (const { name, ...counts } of results) {
  console.log(`${counts.failed === 0 ? 'ok    ' : 'FAILED'}  ${name}: ${formatCounts(counts)}`);
}
for (const { needs } of results) {
  for (const [need, count] of needs) {
    const remedy = REMEDIES[need];
    console.log(`skipped ${count}: needs ${need}${remedy === undefined ? '' : `; ${remedy}`}`);
  }
}
const sum = (name: keyof TestCounts) => results.reduce((total, result) => total + result[name], 0);
const failed = sum('failed');
console.log(formatCounts({ passed: sum('passed'), failed, skipped: sum('skipped') }));
process.exit(failed === 0 ? 0 : 1);

function formatCounts({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function runStep(
  { name, argv, reports = false }: Step,
  { folder, path }: { folder: string; path: string },
): Promise<StepResult> {
  console.log(`\n== ${name}`);
  const report = join(folder, `${name.replaceAll(' ', '-')}.xml`);
  const options = reports ? ['--reporter=junit', `--reporter-outfile=${report}`] : [];
  const child = Bun.spawn([...argv, ...options], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  const succeeded = (await child.exited) === 0;
  const needs = new Map<string, number>();
  if (!reports) return { name, needs, passed: succeeded ? 1 : 0, failed: succeeded ? 0 : 1, skipped: 0 };
  const xml = await readFile(report, 'utf8').catch(() => '');
  const counts = countJunit(xml);
  // A runner that crashes, or that fails outside of a test, has failed even if all that it counted passed.
  if (counts === undefined) return { name, needs, passed: 0, failed: 1, skipped: 0 };
  const failed = !succeeded && counts.failed === 0 ? 1 : counts.failed;
  return { name, ...counts, failed, needs: countNeeds(xml) };
}
