import { CHART_CASES } from './chart/chart-cases.ts';
import { findHelm, NO_HELM } from './chart/find-helm.ts';
import { goldenFiles } from './chart/golden-files.ts';
import { kustomizeFiles } from './chart/kustomize-base.ts';
import { renderChart } from './chart/render-chart.ts';
import { readScriptOptions } from './lab/script-options.ts';

const USAGE = `Usage: bun scripts/chart-render.ts

Writes what the tests compare the chart with (scripts/chart/testdata), and deploy/kustomize. To be run after a change of
the chart; the diff is then what to look at. Needs helm: scripts/chart-helm builds it.`;
readScriptOptions({ script: 'chart-render', usage: USAGE });
const helm = findHelm();
if (helm === undefined) {
  console.error(`chart-render: ${NO_HELM}`);
  process.exit(1);
}
const files = new Map([
  ...goldenFiles((name) => renderChart(helm, CHART_CASES[name])),
  ...kustomizeFiles(helm),
]);
for (const [path, text] of files) await Bun.write(path, text);
console.log(`chart-render: wrote ${files.size} files with ${helm}`);
