import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ARCHITECTURES, type Architecture } from './oci-image/base-files.ts';
import { imagePackages, readImageTexts } from './oci-image/image-facts.ts';
import { archiveLayout, type ImageInput, writeImageLayout } from './oci-image/image-layout.ts';

const work = process.argv[2];
if (work === undefined) throw new Error('Usage: bun make-image.ts <folder with the unpacked packages>');
const dist = join(import.meta.dir, '../dist');

const inputs: ImageInput[] = [];
for (const architecture of Object.keys(ARCHITECTURES) as Architecture[]) {
  const debianPackages = await readFile(join(work, `${architecture}.packages`), 'utf8');
  inputs.push({
    architecture,
    binary: join(dist, `spegel-linux-${ARCHITECTURES[architecture].binary}`),
    root: join(work, architecture),
    packages: await imagePackages(architecture, debianPackages),
  });
}
const texts = await readImageTexts();
const layout = join(work, 'layout');
const { digest, images } = await writeImageLayout(layout, inputs, texts);
for (const { architecture, digest, sbom } of images) {
  await writeFile(join(dist, `spegel-linux-${architecture}.spdx.json`), sbom);
  console.log(`linux/${architecture}: ${digest}`);
}

const archive = join(dist, 'spegel-image.tar');
await archiveLayout(layout, `${archive}.new`, texts.createdSeconds);
await rename(`${archive}.new`, archive);
await rm(join(dist, 'image'), { recursive: true, force: true });
await rename(layout, join(dist, 'image'));
console.log(`spegel ${texts.version}: ${digest} in dist/image and dist/spegel-image.tar`);
