import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { cp, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { CHART_CASES } from '../chart/chart-cases.ts';
import { findHelm, NO_HELM } from '../chart/find-helm.ts';
import { CHART, renderChart, runHelm } from '../chart/render-chart.ts';
import { runCommand } from '../lab/run-command.ts';
import { packageChart } from './package-chart.ts';

const found = findHelm();
if (found === undefined) console.log(`skipped: the packaged chart against helm: ${NO_HELM}`);
const helm = found ?? '';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spegel-package-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The chart's archive in the folder. */
async function writePackage(): Promise<string> {
  const archive = join(folder, 'spegel.tgz');
  await writeFile(archive, await packageChart(CHART));
  return archive;
}

describe('packageChart()', () => {
  test('gives the same bytes for a copy of the chart whose files are of another time', async () => {
    const copy = join(folder, 'spegel');
    await cp(CHART, copy, { recursive: true });
    await utimes(join(copy, 'values.yaml'), 1000, 1000);
    const packed = await packageChart(copy);
    expect(packed).toEqual(await packageChart(CHART));
    await writeFile(join(copy, 'values.yaml'), 'a: b\n');
    expect(await packageChart(copy)).not.toEqual(packed);
  });

  test('has all files of the chart, Chart.yaml first', async () => {
    const listed = (await runCommand(['tar', '--list', '--file', await writePackage()])).trim().split('\n');
    expect(listed[0]).toBe('spegel/Chart.yaml');
    for (const name of ['templates/_helpers.tpl', 'alerts/spegel.yaml', 'values.schema.json']) {
      expect(listed).toContain(`spegel/${name}`);
    }
  });
});

describe.skipIf(found === undefined)('the packaged chart (needs helm)', () => {
  test('renders what its folder renders, alerts and dashboard too, and is of this version', async () => {
    const archive = await writePackage();
    const options = CHART_CASES['monitoring-sidecar'];
    expect(renderChart(helm, { ...options, chart: archive })).toBe(renderChart(helm, options));
    expect(runHelm(helm, ['show', 'chart', archive])).toContain(`\nversion: ${packageJson.version}`);
  });
});
