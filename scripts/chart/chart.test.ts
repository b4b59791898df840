import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { readBlocks } from '../docs/doc-blocks.ts';
import { CHART_CASES, GOLDEN_FOLDER, OWN_IMAGE } from './chart-cases.ts';
import { findHelm, NO_HELM } from './find-helm.ts';
import { readGolden } from './golden-files.ts';
import { kustomizeFiles } from './kustomize-base.ts';
import { type Manifest, parseManifests } from './manifest.ts';
import { CHART, HelmError, renderChanged, renderChart, renderNotes, runHelm } from './render-chart.ts';
import { validateManifest } from './validate-manifest.ts';

const found = findHelm();
if (found === undefined) console.log(`skipped: the chart against helm: ${NO_HELM}`);
const helm = found ?? '';

/** The blocks of the documents that are values for the chart, by where they are. */
const documented = (await readBlocks()).flatMap(({ file, line, language, text }) => {
  const parsed: unknown = language === 'yaml' ? Bun.YAML.parse(text) : undefined;
  const isValues = typeof parsed === 'object' && parsed !== null && 'spegel' in parsed;
  return isValues ? [[`${file}:${line}`, parsed] as const] : [];
});
if (documented.length === 0) throw new Error('No block of the documents has values for the chart');

/** Without what only this chart has defaults for. */
function withoutSecurity(manifests: readonly Manifest[]): unknown {
  return JSON.parse(JSON.stringify(manifests), (key, value: unknown) =>
    key === 'securityContext' ? undefined : value,
  );
}

/** A DaemonSet, as far as its volumes. */
interface PodOwner {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly volumes?: ReadonlyArray<{
          readonly hostPath?: { readonly path: string; readonly type?: string };
        }>;
      };
    };
  };
}

function isPodOwner(manifest: Manifest): manifest is Manifest & PodOwner {
  return manifest.kind === 'DaemonSet';
}

/** Says what is wrong with values, or nothing. */
function refusal(values: object, valuesFiles: readonly string[] = []): string {
  try {
    renderChart(helm, { values, valuesFiles });
    return '';
  } catch (error) {
    if (error instanceof HelmError) return error.message;
    throw error;
  }
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
const registry = (values: object) => ({ service: { registry: values } });
const image = (values: object | null) => ({ image: values });
const alerts = (values: object) => ({ prometheusRule: { enabled: true, ...values } });
const dashboard = (values: object) => ({ grafanaDashboard: { enabled: true, ...values } });

describe.skipIf(found === undefined)('the chart (needs helm)', () => {
  test('helm lint finds nothing', () => {
    const output = runHelm(helm, ['lint', '--strict', CHART]);
    expect(output).toContain('0 chart(s) failed');
  });

  test.each(Object.entries(CHART_CASES))(
    'helm template gives the golden file of %s',
    async (name, options) => {
      const golden = await readGolden(name);
      // If it has changed as it should: bun scripts/chart-render.ts.
      expect(parseManifests(renderChart(helm, options))).toEqual(parseManifests(golden));
    },
  );

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
    expect(renderChart(helm, { kubeVersion, values: OWN_IMAGE }).includes('preStop')).toBe(hasPause);
  });

  test.each<[what: string, values: object, refused: string]>([
    ['a port in quotes', registry({ nodePort: '30021', hostPort: '30020' }), ''],
    ['no host port', registry({ hostPort: 0 }), ''],
    ['a count in quotes', { revisionHistoryLimit: '3', spegel: { mirrorResolveRetries: '5' } }, ''],
    ['a count that is none', { spegel: { mirrorResolveRetries: '-1' } }, '/spegel/mirrorResolveRetries'],
    ['a word for a switch', { spegel: { resolveTags: 'no' } }, '/spegel/resolveTags'],
    ['a value of another chart', { spegel: { somethingElse: [1] }, more: { a: 'b' } }, ''],
    ['null for a default', { affinity: null, spegel: { registryFilters: null } }, ''],
    ['a port that is none', registry({ nodePort: 99_999 }), '/service/registry/nodePort'],
    ['a word for a level', { spegel: { logLevel: 'LOUD' } }, '/spegel/logLevel'],
    ['a relative path', { spegel: { containerdSock: 'run/containerd.sock' } }, '/spegel/containerdSock'],
    ['a relative folder', { spegel: { doctor: { hostPaths: ['etc'] } } }, '/spegel/doctor/hostPaths/0'],
    ['the whole node', { spegel: { doctor: { hostPaths: ['/'] } } }, '/spegel/doctor/hostPaths/0'],
    ['another distribution', { spegel: { doctor: { distribution: 'x' } } }, '/spegel/doctor/distribution'],
    ['a duration without unit', { spegel: { mirrorResolveTimeout: '20' } }, '/spegel/mirrorResolveTimeout'],
    ['a rate without unit', { spegel: { maxUploadRate: '100' } }, '/spegel/maxUploadRate'],
    ['a rate with a unit', { spegel: { maxUploadRate: '1.5GiB/s', maxUploads: 3 } }, ''],
    ['fewer uploads than none', { spegel: { maxUploads: -1 } }, '/spegel/maxUploads'],
    ['no time for flights', { spegel: { flightsMaxHold: '0s' } }, '/spegel/flightsMaxHold'],
    [
      'one registry in place of a list',
      { spegel: { mirroredRegistries: 'a' } },
      '/spegel/mirroredRegistries',
    ],
    ['an alert left out', alerts({ disabledAlerts: ['SpegelNoPeers'] }), ''],
    [
      'an alert that is none',
      alerts({ disabledAlerts: ['NoPeers'] }),
      'has NoPeers, and there is no such alert',
    ],
    ['a number for a label', alerts({ alertLabels: { tier: 1 } }), '/prometheusRule/alertLabels/tier'],
    ['another dashboard mode', dashboard({ mode: 'Other' }), '/grafanaDashboard/mode'],
    ['an operator without labels', dashboard({ mode: 'GrafanaOperator' }), 'matchLabels has to name labels'],
  ])('values with %s are refused only if they have to be', (_, values, refused) => {
    const message = refusal({ ...OWN_IMAGE, ...values });
    if (refused === '') expect(message).toBe('');
    else expect(message).toContain(refused);
  });

  // As --set-string gives them, and parameters of Argo CD.
  test.each([true, false])('values as text render what they render as %s', (isOn) => {
    const options = { apiVersions: ['autoscaling.k8s.io/v1'] };
    const values = (on: unknown, count: unknown, port: unknown) => ({
      ...OWN_IMAGE,
      hostNetwork: on,
      revisionHistoryLimit: count,
      serviceAccount: { automountToken: on },
      service: {
        registry: {
          port,
          nodePort: port,
          topologyAwareHintsEnabled: on,
          usePreferSameNodeTrafficDistribution: on,
          internalTrafficLocal: on,
        },
      },
      networkPolicy: { enabled: on },
      serviceMonitor: { enabled: on },
      prometheusRule: { enabled: on },
      grafanaDashboard: {
        enabled: on,
        mode: 'GrafanaOperator',
        grafanaOperator: { allowCrossNamespaceImport: on, matchLabels: { a: 'b' } },
      },
      spegel: {
        persistence: { enabled: on },
        doctor: { enabled: on },
        containerdMirrorAdd: on,
        resolveTags: on,
        prependExisting: on,
        debugWebEnabled: on,
        membershipCheck: on,
        mirrorResolveRetries: count,
      },
      verticalPodAutoscaler: { enabled: on },
      livenessProbe: { enabled: on },
    });
    const asText = renderChart(helm, { ...options, values: values(String(isOn), '5', '30500') });
    expect(parseManifests(asText)).toEqual(
      parseManifests(renderChart(helm, { ...options, values: values(isOn, 5, 30_500) })),
    );
  });

  test.each([
    ['hostNetwork', 'hostNetwork: true'],
    ['networkPolicy.enabled', 'kind: NetworkPolicy'],
    ['serviceMonitor.enabled', 'kind: ServiceMonitor'],
    ['prometheusRule.enabled', 'kind: PrometheusRule'],
    ['grafanaDashboard.enabled', 'spegel.json: |'],
    ['livenessProbe.enabled', 'livenessProbe:'],
    ['spegel.containerdMirrorAdd', '- configuration'],
    ['spegel.persistence.enabled', '--data-dir='],
    ['spegel.doctor.enabled', 'HOST_ROOT'],
    ['spegel.resolveTags', '--resolve-tags=true'],
  ])('--set-string %s=true switches it on, =false off', (path, text) => {
    const render = (value: string) =>
      runHelm(helm, [
        'template',
        'spegel',
        CHART,
        '--set=image.repository=registry.example/spegel',
        `--set-string=${path}=${value}`,
      ]);
    expect([render('true').includes(text), render('false').includes(text)]).toEqual([true, false]);
  });

  // A folder of the node that is missing would have to be made, which fails where /etc is read-only.
  test.each<[what: string, spegel: object, folders: string[]]>([
    ['as the chart writes hosts.toml', {}, ['/etc/containerd', '/etc/containerd/certs.d']],
    ['without that', { containerdMirrorAdd: false }, []],
    ['without that, as text', { containerdMirrorAdd: 'false' }, []],
    [
      'without that, with a folder that is named',
      { containerdMirrorAdd: false, doctor: { hostPaths: ['/etc/containerd'] } },
      ['/etc/containerd'],
    ],
  ])('mounts what it may have to make in /etc: %s', (_, spegel, folders) => {
    const values = { ...OWN_IMAGE, spegel };
    const pods = parseManifests(renderChart(helm, { values, noHooks: true })).filter(isPodOwner);
    const made = pods.flatMap(({ spec }) =>
      (spec.template.spec.volumes ?? []).flatMap(({ hostPath }) =>
        hostPath?.type === 'DirectoryOrCreate' ? [hostPath.path] : [],
      ),
    );
    expect(made.filter((path) => path.startsWith('/etc'))).toEqual(folders);
  });

  const UNSET = 'image.repository is not set. ';
  const FOREIGN = ', which is the image of Spegel (Go), another program. ';
  test.each<[what: string, values: object, refused: string, hasTag: boolean]>([
    ['nothing', {}, UNSET, false],
    ['null', image(null), UNSET, false],
    ['an empty repository', image({ repository: '' }), UNSET, false],
    ["Spegel's tag alone", image({ tag: 'v0.7.4' }), UNSET, true],
    ["Spegel's digest alone", image({ digest: DIGEST }), UNSET, true],
    ["Spegel's image", image({ repository: 'ghcr.io/spegel-org/spegel' }), FOREIGN, true],
    ["Spegel's former image", image({ repository: 'ghcr.io/xenitab/spegel' }), FOREIGN, true],
    [
      "Spegel's image, with a tag",
      image({ repository: 'a.example/spegel-org/spegel:v0.7.4' }),
      FOREIGN,
      true,
    ],
    ["a mirror of Spegel's image", image({ repository: 'a.example/ghcr/spegel-org/spegel' }), FOREIGN, true],
  ])('values with %s for an image are refused, and say what to do', (_, values, refused, hasTag) => {
    const message = refusal(values);
    expect(message).toContain(refused);
    expect(message).toContain('build one with scripts/image');
    expect(message).toContain('(docs/IMAGE.md)');
    expect(message).toContain('--set image.repository=registry.example/spegel');
    expect(message.includes('--set image.tag= --set image.digest=')).toBe(hasTag);
  });

  test.each(['', ':0.1.0'])(
    'the former default of this chart is refused, because it was never published: %p',
    (tag) => {
      const message = refusal(image({ repository: `ghcr.io/spegel-ts/spegel${tag}` }));
      expect(message).toContain('a former default that was never published');
      expect(message).toContain('--set image.repository=registry.example/spegel');
      expect(refusal(image({ repository: 'registry.example/spegel-ts/spegel' }))).toBe('');
    },
  );

  test.each(['spegel-v0.7.4', 'spegel-successor'])('values of %s are refused without an image', (name) => {
    const message = refusal({}, [join(GOLDEN_FOLDER, `values-${name}.json`)]);
    expect(message).toContain(`image.repository is ghcr.io/spegel-org/spegel${FOREIGN}`);
  });

  test.each(documented)('renders with the values of %s', (_where, values) => {
    expect(refusal({ ...OWN_IMAGE, ...values })).toBe('');
  });

  // helm keeps the old chart's defaults then.
  test.each(['spegel-v0.7.4', 'spegel-successor'])('upgrade --reuse-values works from %s', async (name) => {
    const values = await Bun.file(join(GOLDEN_FOLDER, `values-${name}.json`)).text();
    const manifests = parseManifests(
      await renderChanged(helm, { 'values.yaml': values }, { values: OWN_IMAGE }),
    );
    expect(manifests).not.toEqual([]);
    expect(manifests.flatMap(validateManifest)).toEqual([]);
    const golden = await readGolden(`untouched-${name.slice('spegel-'.length)}`);
    expect(withoutSecurity(manifests)).toEqual(withoutSecurity(parseManifests(golden)));
  });

  test.each<[what: string, values: object, note: string]>([
    ['the image', {}, 'with the image\n  registry.example/spegel:'],
    ['a tag', image({ ...OWN_IMAGE.image, tag: 'v0.7.4' }), 'image.tag is set, so it has to name'],
    ['a digest', image({ ...OWN_IMAGE.image, digest: DIGEST }), 'image.digest is set, so it has to name'],
    ['a network policy', { hostNetwork: true, networkPolicy: { enabled: true } }, 'does not apply to them'],
    ['no autoscaling', { verticalPodAutoscaler: { enabled: true } }, 'has no autoscaling.k8s.io/v1'],
    ['no configuration', { spegel: { containerdMirrorAdd: false } }, 'containerdMirrorAdd is false'],
    ['the defaults', {}, 'config_path'],
  ])('NOTES.txt says what %s means', async (_, values, note) => {
    expect(await renderNotes(helm, { ...OWN_IMAGE, ...values })).toContain(note);
  });

  test("NOTES.txt says nothing of the chart's own tag", async () => {
    const { version: tag } = packageJson;
    expect(await renderNotes(helm, image({ ...OWN_IMAGE.image, tag }))).not.toContain('image.tag');
  });
});
