import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import type { Downloads } from '../store/downloads.ts';
import type { Ingest, Ingests } from '../store/ingests.ts';
import type { ContainerdClient } from './containerd-client.ts';
import { type IngestFiles, type IngestSubject, lookAtIngest, readIngestSubject } from './ingest-files.ts';
import { isClosed, wasClosed } from './ingest-progress.ts';

/** Ingests that are looked through for a blob. containerd 2.1 begins those of all layers of an image at once. */
const MAX_INGESTS = 4096;

/** What createContainerdIngests needs. */
export interface ContainerdIngestsDeps {
  /** Calls containerd; rejects with StoreUnavailableError while it is away. */
  readonly call: <T>(work: (client: Pick<ContainerdClient, 'abortIngest'>) => Promise<T>) => Promise<T>;
  /** Where the ingest of most blobs is known already. */
  readonly downloads: Pick<Downloads, 'get'>;
  /** The folder `ingest` of containerd's content directory. */
  readonly path: string;
  readonly namespace: string;
}

/** The ingests of a namespace. */
export function createContainerdIngests({
  call,
  downloads,
  path,
  namespace,
}: ContainerdIngestsDeps): Ingests {
  /** The folder of the blob's ingest. */
  const find = async (digest: Digest): Promise<string | undefined> => {
    const known = downloads.get(digest)?.path;
    if (known !== undefined) return join(known, '..');
    const ids = await readdir(path).catch(() => []);
    let found: { readonly folder: string; readonly writtenBytes: number } | undefined;
    for (const id of ids.slice(0, MAX_INGESTS)) {
      const folder = join(path, id);
      const { writtenBytes } = lookAtIngest(folder) ?? { writtenBytes: -1 };
      if (writtenBytes < (found?.writtenBytes ?? 0)) continue;
      if (readIngestSubject(folder, namespace)?.digest === digest) found = { folder, writtenBytes };
    }
    return found?.folder;
  };
  return {
    async open(digest) {
      const folder = await find(digest);
      const first = folder === undefined ? undefined : lookAtIngest(folder);
      const subject = first && folder !== undefined && readIngestSubject(folder, namespace);
      if (folder === undefined || first === undefined || !subject || subject.digest !== digest) {
        return undefined;
      }
      const descriptor = openData(folder);
      if (descriptor === undefined) return undefined;
      return openIngest({ call, folder, first, subject, descriptor });
    },
  };
}

function openIngest({
  call,
  folder,
  first,
  subject: { digest, ref, sizeBytes },
  descriptor,
}: Pick<ContainerdIngestsDeps, 'call'> & {
  readonly folder: string;
  readonly first: IngestFiles;
  readonly subject: IngestSubject;
  readonly descriptor: number;
}): Ingest {
  let seen = fstatSync(descriptor);
  /** Its folder, unless there is another ingest in it by now. */
  const look = () => {
    const files = lookAtIngest(folder);
    return files?.startedAtId === first.startedAtId ? files : undefined;
  };
  return {
    digest,
    sizeBytes,
    descriptor,
    writtenBytes() {
      seen = fstatSync(descriptor);
      return seen.size;
    },
    state() {
      const files = look();
      if (files === undefined) return 'gone';
      return isClosed(first, files) || wasClosed(files) ? 'closed' : 'open';
    },
    async abort() {
      const files = look();
      if (files?.writtenBytes !== seen.size || files.writtenAtMs !== seen.mtimeMs) return false;
      return call((client) => client.abortIngest(ref));
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

function openData(folder: string): number | undefined {
  try {
    return openSync(join(folder, 'data'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
