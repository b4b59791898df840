import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHART_CASES, GOLDEN_FOLDER } from './chart-cases.ts';
import { applyDiff, diffLines } from './line-diff.ts';
import { CHART } from './render-chart.ts';

/** The case that is kept whole; of the others what differs from it is. */
const DEFAULT = 'default';
/** In place of the dashboard, which is a file of its own. */
const DASHBOARD_MARK = '    <dashboards/spegel.json>';

/** Where the golden file of the case is. */
function goldenPath(name: string): string {
  return join(GOLDEN_FOLDER, name === DEFAULT ? `${DEFAULT}.yaml` : `${name}.diff`);
}

/** What helm made of the chart with the options of the case. Throws DiffError when the golden files do not fit each other. */
export async function readGolden(name: string): Promise<string> {
  const text = await readFile(goldenPath(DEFAULT), 'utf8');
  if (name === DEFAULT) return text;
  const [, , ...hunks] = (await readFile(goldenPath(name), 'utf8')).split('\n');
  return applyDiff(text, hunks.join('\n')).replace(DASHBOARD_MARK, () => dashboard());
}

/** The golden files, by their path, of what `render` gives for each case. */
export function goldenFiles(render: (name: string) => string): ReadonlyMap<string, string> {
  const text = render(DEFAULT);
  return new Map(
    Object.keys(CHART_CASES).map((name) => [
      goldenPath(name),
      name === DEFAULT
        ? text
        : `--- ${DEFAULT}.yaml\n+++ ${name}.yaml\n${diffLines(text, short(render(name)))}`,
    ]),
  );
}

/** The dashboard as the templates write it: behind four spaces, without an end of its last line. */
function dashboard(): string {
  const text = readFileSync(join(CHART, 'dashboards/spegel.json'), 'utf8').trim();
  return text.replaceAll(/^/gm, '    ');
}

function short(text: string): string {
  return text.replace(dashboard(), DASHBOARD_MARK);
}
