import { join } from 'node:path';
import { runCommand } from '../lab/run-command.ts';
import type { Architecture } from './base-files.ts';
import { imagePackages, readImageTexts } from './image-facts.ts';
import { archiveLayout, imageName, writeImageLayout } from './image-layout.ts';

/** An image in an archive. */
export interface ImageArchive {
  readonly path: string;
  /** The name that it is imported under. */
  readonly image: string;
}

/**
 * Makes an image for this machine's processor alone, from a compiled program and the C library and certificates that
 * Debian has installed here: the same as scripts/image makes, without the network. The archive is in the folder.
 */
export async function archiveNativeImage(binary: string, directory: string): Promise<ImageArchive> {
  const architecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const debianPackages = await runCommand([
    'dpkg-query',
    '--show',
    '--showformat',
    '${Package} ${Version}\n',
    'libc6',
    'ca-certificates',
  ]);
  const texts = await readImageTexts();
  const layout = join(directory, 'layout');
  const packages = await imagePackages(architecture, debianPackages);
  await writeImageLayout(layout, [{ architecture, binary, root: '/', packages }], texts);
  const path = join(directory, 'spegel-image.tar');
  await archiveLayout(layout, path, texts.createdSeconds);
  return { path, image: imageName(texts.version) };
}
