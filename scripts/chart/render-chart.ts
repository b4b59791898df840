import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseManifests } from './manifest.ts';

/** The repository's root. */
export const REPOSITORY = join(import.meta.dir, '../..');
/** The chart. */
export const CHART = join(REPOSITORY, 'deploy/charts/spegel');

/** Helm's own depends on how it was built. */
const DEFAULT_KUBE_VERSION = 'v1.34.0';

/** What a chart is rendered with. */
export interface RenderOptions {
  /** Default: spegel. */
  readonly release?: string;
  /** Its folder. Default: CHART. */
  readonly chart?: string;
  /** Over the chart's defaults. */
  readonly values?: object;
  /** Files with values, before `values`. */
  readonly valuesFiles?: readonly string[];
  /** API versions that the cluster has besides Kubernetes' own, such as autoscaling.k8s.io/v1. */
  readonly apiVersions?: readonly string[];
  /** What the cluster says that it is, such as v1.30.1-eks-4e25. Default: DEFAULT_KUBE_VERSION. */
  readonly kubeVersion?: string;
  /** Leaves out what only runs after an uninstall. */
  readonly noHooks?: boolean;
}

/** A run of helm that failed; the message is helm's. */
export class HelmError extends Error {
  override readonly name = 'HelmError';
}

/** The output of `helm template` in namespace spegel. Throws HelmError. */
export function renderChart(helm: string, options: RenderOptions = {}): string {
  const {
    release = 'spegel',
    chart = CHART,
    values = {},
    valuesFiles = [],
    apiVersions = [],
    kubeVersion = DEFAULT_KUBE_VERSION,
  } = options;
  return runHelm(
    helm,
    [
      'template',
      release,
      chart,
      '--namespace=spegel',
      ...valuesFiles.map((file) => `--values=${file}`),
      '--values=-',
      ...(apiVersions.length > 0 ? [`--api-versions=${apiVersions.join(',')}`] : []),
      `--kube-version=${kubeVersion}`,
      ...(options.noHooks === true ? ['--no-hooks'] : []),
    ],
    JSON.stringify(values),
  );
}

/**
 * What NOTES.txt says with these values. helm shows it only when it talks to a cluster, so it is rendered as the text of
 * a ConfigMap in a copy of the chart. Throws HelmError.
 */
export async function renderNotes(helm: string, values: object): Promise<string> {
  const notes = await readFile(join(CHART, 'templates/NOTES.txt'), 'utf8');
  const output = await renderChanged(
    helm,
    {
      'templates/notes.yaml': `{{ define "notes" }}${notes}{{ end }}
apiVersion: v1
kind: ConfigMap
metadata: { name: notes }
data: { notes: {{ include "notes" . | toJson }} }
`,
    },
    { values },
  );
  const configMap = parseManifests(output).find(({ metadata }) => metadata.name === 'notes');
  return String((configMap?.['data'] as { readonly notes?: string } | undefined)?.notes);
}

/** The output of `helm template` for a copy of the chart with other files, by their path in it. Throws HelmError. */
export async function renderChanged(
  helm: string,
  files: Readonly<Record<string, string>>,
  options: RenderOptions = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spegel-chart-'));
  try {
    const chart = join(folder, 'spegel');
    await cp(CHART, chart, { recursive: true });
    for (const [path, text] of Object.entries(files)) await writeFile(join(chart, path), text);
    return renderChart(helm, { ...options, chart });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What helm prints. Throws HelmError with what it says on stderr. */
export function runHelm(helm: string, args: readonly string[], input = ''): string {
  const child = Bun.spawnSync([helm, ...args], {
    stdin: Buffer.from(input),
    stdout: 'pipe',
    stderr: 'pipe',
    // No cluster and no settings of whoever runs this.
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', KUBECONFIG: '/nonexistent' },
  });
  if (child.exitCode !== 0) throw new HelmError(child.stderr.toString().trim());
  return child.stdout.toString();
}
