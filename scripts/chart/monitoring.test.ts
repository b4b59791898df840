import { describe, expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMetrics } from '../../src/observe/metrics.ts';
import { expressionNames } from './expression-names.ts';
import { CHART, REPOSITORY } from './render-chart.ts';

/** A rule file of Prometheus, as far as tests look into it. */
interface RuleFile {
  readonly groups: ReadonlyArray<{
    readonly rules: ReadonlyArray<{
      readonly alert: string;
      readonly expr: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }>;
  }>;
}

/** A file of unit tests for promtool, as far as tests look into it. */
interface AlertCases {
  readonly tests: ReadonlyArray<{
    readonly promql_expr_test: ReadonlyArray<{
      readonly exp_samples?: ReadonlyArray<{ readonly labels: string }>;
    }>;
  }>;
}

const RULES = join(CHART, 'alerts/spegel.yaml');
const CASES = join(import.meta.dir, 'testdata/alert-cases.yaml');
/** What Prometheus adds to what it scrapes, or the operator, or the relabeling of docs/OPERATE.md. */
const TARGET_LABELS = ['job', 'instance', 'namespace', 'pod', 'node'];

const parseYaml = async <T>(path: string) => Bun.YAML.parse(await readFile(path, 'utf8')) as T;
const rules = (await parseYaml<RuleFile>(RULES)).groups.flatMap((group) => group.rules);
const dashboard = await readFile(join(CHART, 'dashboards/spegel.json'), 'utf8');
const shown = Array.from(
  dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g),
  ([, text = '']) => JSON.parse(text) as string,
);
const { definitions } = createMetrics({ version: '', commit: '' });
const exposed = new Set(
  definitions.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  ),
);

const promtool = Bun.which('promtool');
if (promtool === null) console.log('skipped: the alerts against promtool: it is not on this machine');

describe('alerts and dashboard', () => {
  test.each([
    ...rules.map(({ alert, expr }) => [alert, expr.replaceAll(/\s+/g, ' ').trim()]),
    ...shown.map((expr) => ['a panel', expr]),
  ])('%s has metrics and labels that there are: %s', (_, expr = '') => {
    const { metrics, labels } = expressionNames(expr);
    expect(metrics).not.toEqual([]);
    expect(metrics.filter((name) => !exposed.has(name))).toEqual([]);
    const known = new Set([
      ...definitions
        .filter(({ name }) => metrics.some((metric) => metric.startsWith(name)))
        .flatMap((each) => each.labels),
      ...TARGET_LABELS,
      ...(metrics.some((name) => name.endsWith('_bucket')) ? ['le'] : []),
    ]);
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });

  test('the panels of the dashboard have an ID and a place each', () => {
    const { panels } = JSON.parse(dashboard) as {
      panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
    };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const squares = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
    );
    expect(new Set(squares).size).toBe(squares.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });

  test('each alert is a warning, is explained in docs/OPERATE.md, and has cases in which it fires and does not', async () => {
    const document = await readFile(join(REPOSITORY, 'docs/OPERATE.md'), 'utf8');
    const headings = Array.from(document.matchAll(/^### (Spegel\w+)$/gm), ([, name]) => name);
    expect(new Set(headings)).toEqual(new Set(rules.map(({ alert }) => alert)));
    expect(rules.filter(({ labels }) => labels['severity'] !== 'warning')).toEqual([]);
    for (const { annotations } of rules) expect(Object.keys(annotations)).toEqual(['summary', 'description']);
    const { tests } = await parseYaml<AlertCases>(CASES);
    const text = JSON.stringify(tests);
    const firing = tests.flatMap(({ promql_expr_test }) =>
      promql_expr_test.flatMap(({ exp_samples = [] }) => exp_samples.map(({ labels }) => labels)),
    );
    for (const { alert } of rules) {
      expect(firing.some((labels) => labels.includes(`alertname="${alert}"`))).toBe(true);
      expect(text).toContain(`not ${alert}`);
    }
  });
});

describe.skipIf(promtool === null)('the alerts (needs promtool)', () => {
  test.each([
    ['finds nothing wrong in them', ['check', 'rules', RULES]],
    ['sees each of them fire when it should, and only then', ['test', 'rules', CASES]],
  ])('promtool %s', (_, args) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([promtool ?? '', ...args]);
    expect({ exitCode, said: exitCode === 0 ? '' : stdout.toString() + stderr.toString() }).toEqual({
      exitCode: 0,
      said: '',
    });
  });
});
