import {
  type LiveEvents,
  type LiveHealth,
  type LivePeer,
  type LivePull,
  type LiveStreams,
  type LiveTraffic,
  mergePeers,
  mergePulls,
} from '../../live-report.ts';
import type { PageFacts } from '../page-facts.ts';

/** What the stream has told so far. */
export interface LiveFacts {
  /** A new stream has begun. */
  opened(): void;
  take<N extends keyof LiveEvents>(name: N, event: LiveEvents[N]): void;
  /** Undefined until all of it has been told once. */
  now(nowMs: number, port: number): PageFacts | undefined;
}

/** Puts the events of a stream together. */
export function createLiveFacts(): LiveFacts {
  let health: LiveHealth | undefined;
  let traffic: LiveTraffic | undefined;
  let peers: ReadonlyMap<string, LivePeer> | undefined;
  let running: readonly LivePull[] | undefined;
  let ended: readonly LivePull[] = [];
  let streams: LiveStreams | undefined;
  const takers: { readonly [N in keyof LiveEvents]: (event: LiveEvents[N]) => void } = {
    health: (event) => (health = event),
    traffic: (event) => (traffic = event),
    peers: (event) => (peers = mergePeers(peers ?? new Map(), event)),
    pulls: (event) => {
      ({ running } = event);
      ended = mergePulls(ended, event);
    },
    streams: (event) => (streams = event),
  };
  return {
    opened() {
      // It may be another process by now, which counts its pulls anew.
      ended = [];
    },
    take: (name, event) => takers[name](event),
    now(nowMs, port) {
      if (health === undefined || traffic === undefined || peers === undefined) return undefined;
      if (running === undefined || streams === undefined) return undefined;
      return { nowMs, port, health, traffic, peers, running, ended, streams };
    },
  };
}
