import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createTar, type TarEntry } from '../lab/tar.ts';

/** Makes the archive as small as gzip can; the same input always gives the same bytes. */
const GZIP_LEVEL = 9;

/**
 * Packs the folder of a chart as `helm package` does, for `helm install` and `helm push`. helm writes the time of packing into
 * its archives; here equal files give equal bytes. The folder has the chart's name.
 */
export async function packageChart(chart: string): Promise<Uint8Array> {
  const names = [...new Bun.Glob('**/*').scanSync({ cwd: chart })].sort();
  // helm reads the archive to its end, but what lists its content expects Chart.yaml first.
  const ordered = ['Chart.yaml', ...names.filter((name) => name !== 'Chart.yaml')];
  const entries: TarEntry[] = [];
  for (const name of ordered) {
    entries.push({ name: `${basename(chart)}/${name}`, content: await readFile(join(chart, name)) });
  }
  return Bun.gzipSync(createTar(entries), { level: GZIP_LEVEL });
}
