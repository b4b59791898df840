import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { CHART_CASES, GOLDEN_FOLDER } from './chart-cases.ts';
import { findHelm, NO_HELM } from './find-helm.ts';
import { kustomizeFiles } from './kustomize-base.ts';
import { parseManifests } from './manifest.ts';
import { CHART, HelmError, renderChart, renderNotes, runHelm } from './render-chart.ts';

const found = findHelm();
if (found === undefined) console.log(`skipped: the chart against helm: ${NO_HELM}`);
const helm = found ?? '';

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

describe.skipIf(found === undefined)('the chart', () => {
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

  test.each<[what: string, values: object, refused: string]>([
    ['a port in quotes', registry({ nodePort: '30021', hostPort: '30020' }), ''],
    ['no host port', registry({ hostPort: 0 }), ''],
    ['a value of another chart', { spegel: { somethingElse: [1] }, more: { a: 'b' } }, ''],
    ['null for a default', { affinity: null, spegel: { registryFilters: null } }, ''],
    ['a port that is none', registry({ nodePort: 99_999 }), '/service/registry/nodePort'],
    ['a word for a level', { spegel: { logLevel: 'LOUD' } }, '/spegel/logLevel'],
    ['a relative path', { spegel: { containerdSock: 'run/containerd.sock' } }, '/spegel/containerdSock'],
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
