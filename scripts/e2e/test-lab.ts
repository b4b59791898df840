import { afterAll, beforeAll, setDefaultTimeout } from 'bun:test';
import { join } from 'node:path';
import { createLab, type Lab, type LabOptions } from '../lab/lab.ts';
import type { LabNode } from '../lab/lab-node.ts';
import type { TestBlob, TestImage } from '../lab/test-image.ts';
import { waitFor } from '../lab/wait-for.ts';

/** What the tests run: SPEGEL_BINARY, or what scripts/build made. */
export const BINARY = process.env['SPEGEL_BINARY'] ?? join(import.meta.dir, '../../dist/spegel');

/** Folder of another containerd than the one on PATH. */
const CONTAINERD_BIN_DIR = process.env['CONTAINERD_BIN_DIR'];

/** The registry as images name it; its port must not matter to anybody. */
export const REGISTRY = 'registry.lab:5000';

const START_TIMEOUT_MS = 120_000;
/** Longer than any pull waits: when a test takes this long, bun kills all processes of the lab. */
const TEST_TIMEOUT_MS = 180_000;

/** Starts a lab before the tests of a file and removes it after them. Call the result inside of tests. */
export function useLab(options: LabOptions): () => Lab {
  setDefaultTimeout(TEST_TIMEOUT_MS);
  let lab: Lab | undefined;
  beforeAll(async () => {
    lab = await createLab({
      binary: BINARY,
      ...(CONTAINERD_BIN_DIR === undefined ? {} : { containerdBinDir: CONTAINERD_BIN_DIR }),
      ...options,
    });
  }, START_TIMEOUT_MS);
  afterAll(async () => lab?.[Symbol.asyncDispose](), START_TIMEOUT_MS);
  return () => {
    if (lab === undefined) throw new Error('The lab did not start');
    return lab;
  };
}

/** Path of a blob or manifest on a mirror, as containerd asks for it. */
export function contentPath(repository: string, { kind, digest }: TestBlob): string {
  const type = kind === 'index' || kind === 'manifest' ? 'manifests' : 'blobs';
  return `/v2/${repository}/${type}/${digest}?ns=${REGISTRY}`;
}

/** Waits until a node's mirror finds the tag, if one is given, and every blob of the image, wherever they are. */
export async function untilFound(
  node: LabNode,
  image: TestImage,
  repository: string,
  tag?: string,
): Promise<void> {
  const paths = image.blobs.map((blob) => contentPath(repository, blob));
  if (tag !== undefined) paths.push(`/v2/${repository}/manifests/${tag}?ns=${REGISTRY}`);
  for (const path of paths) {
    await waitFor(`${path} to be found through ${node.name}`, async () => {
      const response = await node.mirror.fetch(path, { method: 'HEAD' });
      return response.status === 200;
    });
  }
}

/** The counters of spegel_mirror_requests_total over all registries. */
export interface MirrorCounts {
  readonly hits: number;
  readonly misses: number;
}

/** How many requests the node's mirror passed on to peers from now on: call the result for the difference. */
export async function countMirrorRequests(node: LabNode): Promise<() => Promise<MirrorCounts>> {
  const read = async (): Promise<MirrorCounts> => {
    const metrics = await node.mirror.metrics();
    return {
      hits: metrics.sum('spegel_mirror_requests_total', { cache: 'hit' }),
      misses: metrics.sum('spegel_mirror_requests_total', { cache: 'miss' }),
    };
  };
  const before = await read();
  return async () => {
    const { hits, misses } = await read();
    return { hits: hits - before.hits, misses: misses - before.misses };
  };
}

/** Bytes of an image's config, layers and manifests. */
export function sizeOf(image: TestImage): number {
  return image.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
