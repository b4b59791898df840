import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/media-type.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { ImageSource } from './leaders.ts';
import type { OwnFlights } from './own-flights-contract.ts';

const SECOND_MS = 1000;
/** Between two layers of a pull nothing is under way for a moment. After so long the pull is over, or was given up. */
const PAUSE_MS = 1 * SECOND_MS;
/** It is known for so long that this node gave an image up: as long as nodes know who leads. */
const GIVEN_UP_MS = 60 * SECOND_MS;
/** Images that this node leads at a time. */
const MAX_IMAGES = 32;
/** Layers of an image that are remembered: a few have a hundred. */
const MAX_CONTENTS = 200;
/** The store gives a manifest within so long, or the layers are not known beforehand. */
const READ_TIMEOUT_MS = 2 * SECOND_MS;

/** What createLedImages needs. */
export interface LedImagesDeps {
  readonly store: Pick<ContentStore, 'read'>;
  readonly own: Pick<OwnFlights, 'isGoingOn'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of an image that this node leads no more, because it does not download it, or too slowly for others. */
  readonly onGivenUp: (image: ImageSource) => void;
}

/** The images that this node downloads for all: also what its containerd has not begun to download yet will come. */
export interface LedImages {
  /** This node's client downloads the manifest from upstream: what it refers to is to come once the store has it. */
  begin(manifest: Digest, source: ImageSource): void;
  /** This node leads the image of the manifest, which its store has. */
  lead(manifest: Digest, source: ImageSource): Promise<void>;
  /** This node's client asks for the digest. */
  asked(digest: Digest): void;
  /**
   * Its download is over; `isThere`: this node has it. If it does not, its pull was given up, or others are not to wait for
   * it, and it leads the image no more.
   */
  ended(digest: Digest, isThere: boolean): void;
  /** True for what an image has that this node leads: others may wait for it. */
  isLed(digest: Digest): boolean;
  /** True while the node is expected to download the digest from upstream later. */
  isToCome(digest: Digest): boolean;
  /** True for what an image has that this node led a moment ago, and gave up. */
  isGivenUp(digest: Digest): boolean;
}

interface LedImage {
  readonly source: ImageSource;
  readonly contents: ReadonlySet<Digest>;
  readonly toCome: Set<Digest>;
  /** When a download of it ended last. */
  endedMs: number;
}

/** Makes the record of a node that leads no image. */
export function createLedImages({ store, own, clock, logger, onGivenUp }: LedImagesDeps): LedImages {
  const images = new Map<Digest, LedImage>();
  const givenUp = new Map<Digest, Pick<LedImage, 'contents'> & { readonly untilMs: number }>();
  /** Manifests that are downloaded from upstream. */
  const begun = new Map<Digest, ImageSource>();
  const isPulled = ({ contents, endedMs }: LedImage) => {
    if (clock.nowMs() - endedMs < PAUSE_MS) return true;
    for (const digest of contents) if (own.isGoingOn(digest)) return true;
    return false;
  };

  const lead = async (manifest: Digest, source: ImageSource) => {
    try {
      using deadline = createDeadline(clock, READ_TIMEOUT_MS);
      const bytes = await store.read(manifest, MAX_MANIFEST_BYTES, { signal: deadline.signal });
      if (bytes === undefined) return;
      const { kind, references } = parseManifest(bytes);
      // Of an index a node pulls one platform.
      if (kind === 'index') return;
      const contents = new Set(references.slice(0, MAX_CONTENTS).map(({ digest }) => digest));
      const image = { source, contents, toCome: new Set(contents), endedMs: clock.nowMs() };
      lruSet(images, manifest, image, MAX_IMAGES);
      givenUp.delete(manifest);
    } catch (error) {
      logger.debug('Cannot tell which layers this node will download', { digest: manifest, error });
    }
  };

  return {
    begin: (manifest, source) => lruSet(begun, manifest, source, MAX_IMAGES),
    lead,
    asked(digest) {
      for (const { toCome } of images.values()) toCome.delete(digest);
    },
    ended(digest, isThere) {
      const source = begun.get(digest);
      begun.delete(digest);
      if (source !== undefined) {
        if (isThere) void lead(digest, source);
        else onGivenUp(source);
      }
      for (const [manifest, image] of images) {
        if (!image.contents.has(digest)) continue;
        if (isThere) image.endedMs = clock.nowMs();
        else {
          images.delete(manifest);
          const { contents } = image;
          lruSet(givenUp, manifest, { contents, untilMs: clock.nowMs() + GIVEN_UP_MS }, MAX_IMAGES);
          onGivenUp(image.source);
        }
      }
    },
    isLed(digest) {
      for (const image of images.values()) if (image.contents.has(digest) && isPulled(image)) return true;
      return false;
    },
    isToCome(digest) {
      for (const image of images.values()) if (image.toCome.has(digest) && isPulled(image)) return true;
      return false;
    },
    isGivenUp(digest) {
      const nowMs = clock.nowMs();
      for (const { contents, untilMs } of givenUp.values()) {
        if (nowMs < untilMs && contents.has(digest)) return true;
      }
      return false;
    },
  };
}
