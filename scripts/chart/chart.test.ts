import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { CHART_CASES, GOLDEN_FOLDER } from './chart-cases.ts';
import { findHelm, NO_HELM } from './find-helm.ts';
import { kustomizeFiles } from './kustomize-base.ts';
import { type Manifest, parseManifests } from './manifest.ts';
import { CHART, HelmError, renderChanged, renderChart, renderNotes, runHelm } from './render-chart.ts';
import { validateManifest } from './validate-manifest.ts';

const found = findHelm();
if (found === undefined) console.log(`skipped: the chart against helm: ${NO_HELM}`);
const helm = found ?? '';

/** Without what only this chart has defaults for. */
function withoutSecurity(manifests: readonly Manifest[]): unknown {
  return JSON.parse(JSON.stringify(manifests), (key, value: unknown) =>
    key === 'securityContext' ? undefined : value,
  );
}

/** Says what is wrong with values, or nothing. */
function refusal(values: object): string {
  try {
    renderChart(helm, { values });
    return '';
  } catch (error) {
    if (error instanceof HelmError) return error.message;
    throw error;
  }
}

const registry = (values: object) => ({ service: { registry: values } });
const dashboard = (values: object) => ({ grafanaDashboard: { enabled: true, ...values } });

describe.skipIf(found === undefined)('the chart (needs helm)', () => {
  test('helm lint finds nothing', () => {
    const output = runHelm(helm, ['lint', '--strict', CHART]);
    expect(output).toContain('0 chart(s) failed');
  });

  test.each(Object.entries(CHART_CASES))('helm template gives testdata/%s.yaml', async (name, options) => {
    const golden = await Bun.file(join(GOLDEN_FOLDER, `${name}.yaml`)).text();
    // If it has changed as it should: bun scripts/chart-render.ts.
    expect(parseManifests(renderChart(helm, options))).toEqual(parseManifests(golden));
  });

  test('deploy/kustomize is made from the defaults', async () => {
    for (const [path, text] of kustomizeFiles(helm)) {
      expect(parseManifests(await Bun.file(path).text())).toEqual(parseManifests(text));
    }
  });

  test.each<[kubeVersion: string, hasPause: boolean]>([
    ['v1.28.0', false],
    ['v1.29.15-gke.100', false],
    ['v1.30.0-eks-036c24b', true],
    ['1.37.2', true],
    ['v1.100.0', true],
    ['v2.0.0', false],
  ])('on Kubernetes %s a pod that ends answers for a while: %p', (kubeVersion, hasPause) => {
    expect(renderChart(helm, { kubeVersion }).includes('preStop')).toBe(hasPause);
  });

  test.each<[what: string, values: object, refused: string]>([
    ['a port in quotes', registry({ nodePort: '30021', hostPort: '30020' }), ''],
    ['no host port', registry({ hostPort: 0 }), ''],
    ['a value of another chart', { spegel: { somethingElse: [1] }, more: { a: 'b' } }, ''],
    ['null for a default', { affinity: null, spegel: { registryFilters: null } }, ''],
    ['a port that is none', registry({ nodePort: 99_999 }), '/service/registry/nodePort'],
    ['a word for a level', { spegel: { logLevel: 'LOUD' } }, '/spegel/logLevel'],
    ['a relative path', { spegel: { containerdSock: 'run/containerd.sock' } }, '/spegel/containerdSock'],
    ['a relative folder', { spegel: { doctor: { hostPaths: ['etc'] } } }, '/spegel/doctor/hostPaths/0'],
    ['the whole node', { spegel: { doctor: { hostPaths: ['/'] } } }, '/spegel/doctor/hostPaths/0'],
    ['another distribution', { spegel: { doctor: { distribution: 'x' } } }, '/spegel/doctor/distribution'],
    ['a duration without unit', { spegel: { mirrorResolveTimeout: '20' } }, '/spegel/mirrorResolveTimeout'],
    [
      'one registry in place of a list',
      { spegel: { mirroredRegistries: 'a' } },
      '/spegel/mirroredRegistries',
    ],
    ['another dashboard mode', dashboard({ mode: 'Other' }), '/grafanaDashboard/mode'],
    ['an operator without labels', dashboard({ mode: 'GrafanaOperator' }), 'matchLabels has to name labels'],
  ])('values with %s are refused only if they have to be', (_, values, refused) => {
    if (refused === '') expect(refusal(values)).toBe('');
    else expect(refusal(values)).toContain(refused);
  });

  // helm keeps the old chart's defaults then.
  test.each(['spegel-v0.7.4', 'spegel-successor'])('upgrade --reuse-values works from %s', async (name) => {
    const values = await Bun.file(join(GOLDEN_FOLDER, `values-${name}.json`)).text();
    const manifests = parseManifests(await renderChanged(helm, { 'values.yaml': values }));
    expect(manifests.flatMap(validateManifest)).toEqual([]);
    const golden = await Bun.file(
      join(GOLDEN_FOLDER, `untouched-${name.slice('spegel-'.length)}.yaml`),
    ).text();
    expect(withoutSecurity(manifests)).toEqual(withoutSecurity(parseManifests(golden)));
  });

  test.each<[what: string, values: object, note: string]>([
    ["Spegel's image", { image: { repository: 'ghcr.io/spegel-org/spegel' } }, "which is Spegel's own image"],
    ['a network policy', { hostNetwork: true, networkPolicy: { enabled: true } }, 'does not apply to them'],
    ['no autoscaling', { verticalPodAutoscaler: { enabled: true } }, 'has no autoscaling.k8s.io/v1'],
    ['no configuration', { spegel: { containerdMirrorAdd: false } }, 'containerdMirrorAdd is false'],
    ['the defaults', {}, 'config_path'],
  ])('NOTES.txt says what %s means', async (_, values, note) => {
    expect(await renderNotes(helm, values)).toContain(note);
  });
});
