import type { Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import type { ContainerdClient } from './containerd-client.ts';
import type { ContentFiles } from './content-files.ts';
import type { ImageWalker } from './image-walker.ts';
import type { KnownImage } from '../store/store-state.ts';

/** Files that are looked at in parallel while listing. */
const MAX_PARALLEL_STATS = 32;

/** What a namespace has at one moment. */
export interface NamespaceListing {
  /** Sizes in bytes of the blobs that the namespace knows and whose file has that size. */
  readonly blobs: ReadonlyMap<Digest, number>;
  readonly images: readonly KnownImage[];
  /** All files of the blob folders, whatever namespace they belong to. */
  readonly onDisk: ReadonlySet<Digest>;
  /** Number of blobs that the namespace knows, on disk or not. */
  readonly knownBlobs: number;
}

/** What listNamespace reads from. */
export interface ListNamespaceDeps {
  readonly client: ContainerdClient;
  readonly files: ContentFiles;
  readonly walker: ImageWalker;
}

/** Lists everything anew. Rejects with StoreUnavailableError or the signal's reason; no image can make it fail. */
export async function listNamespace(
  { client, files, walker }: ListNamespaceDeps,
  signal: AbortSignal,
): Promise<NamespaceListing> {
  const [known, records] = await Promise.all([client.listContent({ signal }), client.listImages({ signal })]);
  // After the metadata: what was committed in between is seen by the watch.
  const onDisk = await files.list();
  const blobs = new Map<Digest, number>();
  const candidates = [...known].filter(([digest]) => onDisk.has(digest)).values();
  // The workers share one iterator, so each takes the next one that is left.
  const worker = async () => {
    for (const [digest, sizeBytes] of candidates) {
      if ((await files.state(digest))?.sizeBytes === sizeBytes) blobs.set(digest, sizeBytes);
    }
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL_STATS }, worker));
  signal.throwIfAborted();

  const images: KnownImage[] = [];
  for (const record of records) {
    images.push(
      await walker.walk(record, async (digest) => {
        const sizeBytes = blobs.get(digest);
        return sizeBytes === undefined || sizeBytes > MAX_MANIFEST_BYTES
          ? undefined
          : files.read(digest, sizeBytes);
      }),
    );
  }
  walker.keepOnly(new Set(blobs.keys()), new Set(records.map(({ name }) => name)));
  return { blobs, images, onDisk, knownBlobs: known.size };
}
