import type { Digest } from '../oci/digest.ts';
import type { ContentStore } from '../store/content-store.ts';
import { isStored } from '../store/is-stored.ts';
import type { LedImages } from './led-images.ts';
import type { OwnFlights } from './own-flights-contract.ts';

/** A download of this node that another node follows. */
export interface FollowedDownload {
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes that are there. */
  readonly writtenBytes: number;
  /** True when nothing more is to be expected. */
  readonly isOver: boolean;
  /** Calls the listener at each change of these. Returns what ends that. */
  subscribe(listener: () => void): () => void;
}

/** What followDownload needs. */
export interface FollowDownloadDeps {
  readonly store: Pick<ContentStore, 'downloads' | 'stat'>;
  readonly own: Pick<OwnFlights, 'isPromised' | 'isStuck' | 'isWanted' | 'onEnd'>;
  readonly led: Pick<LedImages, 'isToCome'>;
  /** Told of each node that follows it. Returns what is called when that ends. */
  readonly onReader?: ((digest: Digest) => () => void) | undefined;
}

/**
 * The node's download of the digest as another node may follow it. `waiting`: there will be one soon, or its size is
 * not known yet; undefined: there is none, or it is not worth following.
 */
export function followDownload(
  { store, own, led, onReader }: FollowDownloadDeps,
  digest: Digest,
): FollowedDownload | 'waiting' | undefined {
  const { downloads } = store;
  const first = downloads.get(digest);
  // What this node's client did not ask the mirror for may be of an image that is not shared.
  if (!own.isWanted(digest)) return led.isToCome(digest) ? 'waiting' : undefined;
  if (own.isStuck(digest) || first?.isRunning === false) return undefined;
  if (first === undefined) return 'waiting';
  const { path, sizeBytes } = first;
  // Without its size there is no Content-Length.
  if (sizeBytes === undefined) return undefined;
  let { writtenBytes } = first;
  let isOver = false;

  const look = async (): Promise<void> => {
    const now = downloads.get(digest);
    if (own.isStuck(digest)) isOver = true;
    else if (now !== undefined) {
      // A download that starts anew is another file.
      if (now.path !== path || now.writtenBytes < writtenBytes || !now.isRunning) isOver = true;
      else ({ writtenBytes } = now);
    } else if (!own.isPromised(digest)) {
      // Until then its own flight looks whether the store has it: onEnd() comes after that.
      if (await isStored(store, digest)) writtenBytes = sizeBytes;
      else isOver = true;
    }
  };
  return {
    path,
    sizeBytes,
    get writtenBytes() {
      return writtenBytes;
    },
    get isOver() {
      return isOver;
    },
    subscribe(listener) {
      const onChange = (changed: Digest) => {
        if (changed === digest && !isOver) void look().then(listener, listener);
      };
      const ends = [downloads.subscribe(onChange), own.onEnd(onChange), onReader?.(digest)];
      // What has happened since the first look.
      onChange(digest);
      return () => {
        for (const end of ends) end?.();
      };
    },
  };
}
