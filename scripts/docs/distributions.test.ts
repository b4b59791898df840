import { expect, test } from 'bun:test';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DISTRIBUTIONS } from '../../src/doctor/distribution.ts';
import { REPOSITORY } from '../chart/render-chart.ts';
import { readChartValues } from './chart-values.ts';

test('docs/DISTRIBUTIONS.md has the paths that doctor knows, where they are not the defaults of the chart', async () => {
  const document = await readFile(join(REPOSITORY, 'docs/DISTRIBUTIONS.md'), 'utf8');
  const values = readChartValues(
    await readFile(join(REPOSITORY, 'deploy/charts/spegel/values.yaml'), 'utf8'),
  );
  const defaults = new Map(
    values.map(({ path, defaultValue }) => [path, JSON.parse(defaultValue) as unknown]),
  );
  const missing = Object.values(DISTRIBUTIONS).flatMap((distribution) =>
    [
      ['containerdSock', distribution.socket],
      ['containerdContentPath', distribution.contentPath],
      ['containerdRegistryConfigPath', distribution.registryConfigPath],
    ]
      // Written once, for K3s; the text says what to replace for RKE2.
      .map(([name = '', path = '']) => [name, path.replace('/rancher/rke2/', '/rancher/k3s/')] as const)
      .filter(([name, path]) => defaults.get(`spegel.${name}`) !== path)
      .filter(([name, path]) => !document.includes(`\n  ${name}: ${path}\n`))
      .map(([name, path]) => `${distribution.id}: ${name}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test('docs/DISTRIBUTIONS.md says what to replace for RKE2, as doctor knows its paths', async () => {
  const document = await readFile(join(REPOSITORY, 'docs/DISTRIBUTIONS.md'), 'utf8');
  const [, to = '', from = ''] = /for RKE2 with `(.*?)` in place of `(.*?)`/.exec(document) ?? [];
  const { k3s, rke2 } = DISTRIBUTIONS;
  const paths = [k3s.socket, k3s.contentPath, k3s.registryConfigPath].map((path) => path.replace(from, to));
  expect(paths).toEqual([rke2.socket, rke2.contentPath, rke2.registryConfigPath]);
});
