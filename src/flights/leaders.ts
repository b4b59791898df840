import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';

const SECOND_MS = 1000;
/** An image's layers are asked for within this time after its manifest, or after the layer before. */
const LEADER_LIFETIME_MS = 60 * SECOND_MS;
/** Images that are pulled at a time, and more. */
const MAX_LEADERS = 500;

/** Where an image comes from. */
export interface ImageSource {
  readonly registry: string | undefined;
  readonly repository: string;
}

/** Which node downloads which image from upstream: for its layers the others wait for that node, and for no other. */
export interface Leaders {
  get(image: ImageSource): string | undefined;
  set(image: ImageSource, leader: string): void;
  /** The node does not answer: if it was the leader, there is none. */
  forget(image: ImageSource, leader: string): void;
}

/** Makes the memory of leaders; they are forgotten a minute after they were last asked for. */
export function createLeaders(clock: Pick<Clock, 'nowMs'>): Leaders {
  const leaders = new Map<string, { readonly leader: string; readonly untilMs: number }>();
  const keyOf = ({ registry = '', repository }: ImageSource) => `${registry}/${repository}`;
  const set = (key: string, leader: string) =>
    lruSet(leaders, key, { leader, untilMs: clock.nowMs() + LEADER_LIFETIME_MS }, MAX_LEADERS);
  return {
    get(image) {
      const key = keyOf(image);
      const known = leaders.get(key);
      if (known === undefined || known.untilMs <= clock.nowMs()) return undefined;
      set(key, known.leader);
      return known.leader;
    },
    set: (image, leader) => set(keyOf(image), leader),
    forget(image, leader) {
      const key = keyOf(image);
      if (leaders.get(key)?.leader === leader) leaders.delete(key);
    },
  };
}
