import type { LabNode } from './lab-node.ts';
import type { TestBlob, TestImage } from './test-image.ts';
import { REGISTRY } from './upstream.ts';
import { waitFor } from './wait-for.ts';

/** Path of a blob or manifest on a mirror, as containerd asks for it. */
export function contentPath(repository: string, { kind, digest }: TestBlob): string {
  const type = kind === 'index' || kind === 'manifest' ? 'manifests' : 'blobs';
  return `/v2/${repository}/${type}/${digest}?ns=${REGISTRY}`;
}

/** Path of a tag on a mirror. */
export function tagPath(repository: string, tag: string): string {
  return `/v2/${repository}/manifests/${tag}?ns=${REGISTRY}`;
}

/** Waits until a node's mirror finds the tag, if one is given, and every blob of the image, wherever they are. */
export async function untilFound(
  node: LabNode,
  image: TestImage,
  repository: string,
  tag?: string,
): Promise<void> {
  const paths = image.blobs.map((blob) => contentPath(repository, blob));
  if (tag !== undefined) paths.push(tagPath(repository, tag));
  for (const path of paths) {
    await waitFor(`${path} to be found through ${node.name}`, async () => {
      const response = await node.mirror.fetch(path, { method: 'HEAD' });
      return response.status === 200;
    });
  }
}
