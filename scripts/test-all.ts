import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countJunit, type TestCounts } from './count-junit.ts';

const SECOND_MS = 1000;
/** An end-to-end test starts a cluster and moves hundreds of MB; two cores that others use too make that slow. */
const E2E_TIMEOUT_MS = 300 * SECOND_MS;
/** A unit test takes milliseconds, but thousands of files synced to a disk that others use too do not. */
const UNIT_TIMEOUT_MS = 60 * SECOND_MS;

/** One thing to run; with `reports` it is a test run that writes its counts, else it counts as one. */
interface Step {
  readonly name: string;
  readonly argv: readonly string[];
  readonly reports?: boolean;
}

/** `bun run ok` step by step, then the binary and the tests that use it. */
const STEPS: readonly Step[] = [
  { name: 'types', argv: ['bun', 'run', 'types'] },
  { name: 'lint', argv: ['bun', 'run', 'lint'] },
  { name: 'format', argv: ['bun', 'run', 'format:check'] },
  { name: 'unused', argv: ['bun', 'run', 'unused'] },
  // With the leading ./ since bunfig.toml's test root is src: without it nothing in scripts would be found.
  {
    name: 'unit tests',
    argv: [
      'bun',
      'test',
      './src',
      './scripts/lab',
      './scripts/bench',
      './scripts/sim',
      './scripts/chart',
      './scripts/docs',
      './scripts/oci-image',
      './scripts/count-junit.test.ts',
      `--timeout=${UNIT_TIMEOUT_MS}`,
    ],
    reports: true,
  },
  { name: 'build', argv: ['scripts/build'] },
  {
    name: 'end-to-end tests',
    argv: ['bun', 'test', './scripts/e2e', `--timeout=${E2E_TIMEOUT_MS}`],
    reports: true,
  },
];

const folder = await mkdtemp(join(tmpdir(), 'spegel-test-'));
const rows: Array<TestCounts & { readonly name: string }> = [];
try {
  for (const step of STEPS) rows.push({ name: step.name, ...(await runStep(step, folder)) });
} finally {
  await rm(folder, { recursive: true, force: true });
}

console.log('');
for (const { name, passed, failed } of rows) {
  console.log(`${failed === 0 ? 'ok    ' : 'FAILED'}  ${name}: ${passed} passed, ${failed} failed`);
}
const passed = rows.reduce((sum, row) => sum + row.passed, 0);
const failed = rows.reduce((sum, row) => sum + row.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function runStep({ name, argv, reports = false }: Step, folder: string): Promise<TestCounts> {
  console.log(`\n== ${name}`);
  const report = join(folder, `${name.replaceAll(' ', '-')}.xml`);
  const options = reports ? ['--reporter=junit', `--reporter-outfile=${report}`] : [];
  const child = Bun.spawn([...argv, ...options], { stdio: ['ignore', 'inherit', 'inherit'] });
  const succeeded = (await child.exited) === 0;
  if (!reports) return { passed: succeeded ? 1 : 0, failed: succeeded ? 0 : 1 };
  const counts = countJunit(await readFile(report, 'utf8').catch(() => ''));
  // A runner that crashes, or that fails outside of a test, has failed even if all that it counted passed.
  if (counts === undefined) return { passed: 0, failed: 1 };
  return !succeeded && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}
