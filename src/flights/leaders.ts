import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';

const SECOND_MS = 1000;
/** An image's layers are asked for within this time after its manifest, or after the layer before. */
const LEADER_LIFETIME_MS = 60 * SECOND_MS;
/** Images that are pulled at a time, and more. */
const MAX_LEADERS = 500;
/** Nodes of an image that have been leaders and are not any more: the last ones. */
const MAX_LOST = 8;

/** Where an image comes from. */
export interface ImageSource {
  readonly registry: string | undefined;
  readonly repository: string;
}

/** Who downloads an image from upstream, as far as this node knows. */
export interface Led {
  /** The manifest that this node was given last; its tower knows who leads. */
  readonly manifest: Digest;
  /** Undefined when it was lost. */
  readonly leader: string | undefined;
  /** The nodes that led it before, and did not answer, or did not download it. */
  readonly lost: readonly string[];
}

/** Which node downloads which image from upstream: for its layers the others wait for that node, and for no other. */
export interface Leaders {
  get(image: ImageSource): Led | undefined;
  set(image: ImageSource, led: { readonly manifest: Digest; readonly leader: string }): void;
  /** The node does not answer, or does not download the image: if it was the leader, there is none. */
  lose(image: ImageSource, leader: string): void;
}

/** Makes the memory of leaders; they are forgotten a minute after they were last asked for. */
export function createLeaders(clock: Pick<Clock, 'nowMs'>): Leaders {
  const images = new Map<string, Led & { readonly untilMs: number }>();
  const keyOf = ({ registry = '', repository }: ImageSource) => `${registry}/${repository}`;
  const put = (key: string, led: Led) =>
    lruSet(images, key, { ...led, untilMs: clock.nowMs() + LEADER_LIFETIME_MS }, MAX_LEADERS);
  const get = (image: ImageSource): Led | undefined => {
    const key = keyOf(image);
    const known = images.get(key);
    if (known === undefined || known.untilMs <= clock.nowMs()) return undefined;
    put(key, known);
    return known;
  };
  return {
    get,
    set(image, { manifest, leader }) {
      const before = get(image);
      const lost = before?.manifest === manifest ? before.lost.filter((each) => each !== leader) : [];
      put(keyOf(image), { manifest, leader, lost });
    },
    lose(image, leader) {
      const known = get(image);
      if (known?.leader !== leader) return;
      const lost = [...known.lost, leader].slice(-MAX_LOST);
      put(keyOf(image), { ...known, leader: undefined, lost });
    },
  };
}
