import { join } from 'node:path';
import { parseManifests } from './manifest.ts';
import { renderChart, REPOSITORY } from './render-chart.ts';

const FOLDER = join(REPOSITORY, 'deploy/kustomize');
/** Of a top-level domain that is reserved for names that never resolve (RFC 2606): no stranger can register it. */
export const PLACEHOLDER_IMAGE = 'image-of-yours.invalid/spegel';
const HEADER = `# Made from the chart's defaults by scripts/chart-render.ts. The image is a placeholder that no node can pull: name yours
# under \`images\` of a kustomization, as docs/INSTALL.md does.
`;
/** What says that helm made it: nothing here is a release. */
const LINES_OF_HELM = /^ +(?:helm\.sh\/[a-z-]+|app\.kubernetes\.io\/managed-by): .*\n/gm;
const EMPTY_ANNOTATIONS = /^ {2}annotations:\n(?=spec:)/gm;
const SOURCE = /^# Source: .*\n/gm;

/** The files of deploy/kustomize that are made from the chart's defaults, by their path. */
export function kustomizeFiles(helm: string): ReadonlyMap<string, string> {
  const values = { image: { repository: PLACEHOLDER_IMAGE } };
  const running = renderChart(helm, { values, noHooks: true });
  const all = renderChart(helm, { values });
  const hooks = all
    .split(/^---\n/m)
    .filter((text) => text.trim() !== '' && parseManifests(text).some(isHook))
    .map((text) => `---\n${text}`)
    .join('');
  return new Map(
    [
      [join(FOLDER, 'spegel.yaml'), running] as const,
      [join(FOLDER, 'cleanup/cleanup.yaml'), hooks] as const,
    ].map(([path, text]) => [path, HEADER + withoutHelm(text)]),
  );
}

function isHook({ metadata }: { readonly metadata: { readonly annotations?: object } }): boolean {
  return Object.keys(metadata.annotations ?? {}).includes('helm.sh/hook');
}

function withoutHelm(text: string): string {
  return text.replaceAll(SOURCE, '').replaceAll(LINES_OF_HELM, '').replaceAll(EMPTY_ANNOTATIONS, '');
}
